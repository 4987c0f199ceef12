"""Many processes apply at once, and some are killed: nothing is lost, nothing is half done."""

import subprocess
import sys
import threading
from collections.abc import Callable
from random import Random

import pytest

from feature_store.catalog.documents import Definition
from feature_store.catalog.store import Catalog
from resources.settings import project_root
from tests.catalog.declared import NOW, feature, view


def applying(url: str, team: str, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.catalog.applying_process", url, team, str(rounds)]
    return subprocess.Popen(command, cwd=project_root(), stdout=subprocess.PIPE, text=True)


def growing(team: str, rounds: int) -> Definition:
    return view(f"shops/{team}/v1", [feature(f"f{number}") for number in range(rounds)], owner=team)


def all_at_once(calls: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_sixty_four_applies_at_once_lose_nothing(url: str) -> None:
    revisions: list[int] = []

    def apply(team: str) -> Callable[[], None]:
        def call() -> None:
            catalog = Catalog(url)
            revisions.append(catalog.apply({team: [growing(team, 3)]}, by=team, now=NOW).revision)
            catalog.close()

        return call

    teams = [f"team{number:02}" for number in range(64)]
    all_at_once([apply(team) for team in teams])
    assert sorted(revisions) == list(range(1, 65))
    assert Catalog(url).definitions() == [growing(team, 3) for team in teams]


def test_processes_that_create_and_fill_one_catalog_at_once_lose_nothing(url: str) -> None:
    processes = [applying(url, f"team{number}", 5) for number in range(4)]
    printed = [process.communicate(timeout=120)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert sorted(int(line) for lines in printed for line in lines) == list(range(1, 21))
    assert Catalog(url).definitions() == [growing(f"team{number}", 5) for number in range(4)]


@pytest.mark.parametrize("seed", range(3))
def test_a_process_killed_while_it_applies_leaves_a_whole_state(url: str, seed: int) -> None:
    Catalog(url).close()
    with applying(url, "team0", 2000) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(Random(seed).randint(1, 40))]
        process.kill()
        acknowledged += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    catalog = Catalog(url)
    assert catalog.revision() in (acknowledged[-1], acknowledged[-1] + 1)
    assert catalog.definitions() == [growing("team0", catalog.revision())]
    assert catalog.apply({"team0": [growing("team0", 1)]}, by="team0", now=NOW).revision == catalog.revision()
