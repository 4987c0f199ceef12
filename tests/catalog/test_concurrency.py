"""Many processes apply at once, and some are killed: nothing is lost, nothing is half done."""

import subprocess
import sys
import threading
from collections.abc import Callable
from random import Random

import pytest
from sqlalchemy import Connection

from feature_store.catalog import apply
from feature_store.catalog.apply import ConflictError, RefusedError
from feature_store.catalog.database import open_engine, writing
from feature_store.catalog.documents import Definition
from feature_store.catalog.locks import lock_head, lock_teams
from feature_store.catalog.rows import PRODUCTION, Layer
from feature_store.catalog.store import Catalog
from resources.settings import project_root
from tests.catalog.declared import NOW, feature, service, view
from tests.fixtures.servers.postgres import Postgres


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


def test_sixty_four_applies_at_once_for_one_team_conflict_and_lose_nothing(url: str) -> None:
    """Each adds a feature to what it reads, and does so again where somebody applied meanwhile."""
    Catalog(url).apply({"growth": [growing("growth", 1)]}, by="ada", now=NOW)
    conflicts: list[str] = []

    def adding(number: int) -> Callable[[], None]:
        def call() -> None:
            catalog = Catalog(url)
            while True:
                revision, (held,) = catalog.snapshot()
                features = [*held.document["features"], feature(f"own{number:02}")]
                declared = view(held.name, features)
                try:
                    catalog.apply({"growth": [declared]}, by=f"user{number:02}", now=NOW, planned_at=revision)
                except ConflictError as conflict:
                    conflicts.append(str(conflict))
                else:
                    return catalog.close()

        return call

    all_at_once([adding(number) for number in range(64)])
    (held,) = Catalog(url).definitions()
    names = [each["name"] for each in held.document["features"]]
    assert sorted(names) == ["f0", *(f"own{number:02}" for number in range(64))]
    assert Catalog(url).revision() == 65
    assert all("added feature shops/growth/v1.own" in each for each in conflicts)


@pytest.mark.engines
@pytest.mark.xdist_group("postgres")
def test_what_another_team_applies_while_one_compares_counts(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that begins to read a feature, between its owner's look at who reads it and its removal."""
    url = postgres.new_database()
    catalog, reading = Catalog(url), growing("growth", 2)
    catalog.apply({"growth": [reading]}, by="ada", now=NOW)
    reads = service("offers/v1", {reading.name: reading}, [(reading.name, "f1")], owner="shops")

    def interrupted(connection: Connection, layer: Layer) -> int:
        monkeypatch.undo()
        assert Catalog(url).apply({"shops": [reads]}, by="sam", now=NOW).revision == 2
        return lock_head(connection, layer)

    monkeypatch.setattr(apply, "lock_head", interrupted)
    with pytest.raises(RefusedError, match=r"is read by service offers/v1 \(shops\)"):
        catalog.apply({"growth": [growing("growth", 1)]}, by="ada", now=NOW)
    assert catalog.definitions() == [reads, reading]


@pytest.mark.engines
@pytest.mark.xdist_group("postgres")
def test_an_apply_waits_for_those_of_its_team_alone(postgres: Postgres) -> None:
    url = postgres.new_database()
    Catalog(url).close()
    waiting = threading.Thread(target=lambda: Catalog(url).apply({"a": [growing("a", 1)]}, by="ada", now=NOW))
    with writing(open_engine(url)) as connection:
        lock_teams(connection, PRODUCTION, ["a"])
        waiting.start()
        assert Catalog(url).apply({"b": [growing("b", 1)]}, by="bob", now=NOW).revision == 1
        waiting.join(timeout=0.5)
        assert waiting.is_alive()
    waiting.join()
    assert Catalog(url).definitions() == [growing("a", 1), growing("b", 1)]


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
