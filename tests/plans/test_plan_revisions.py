"""Plans are published whole, revision by revision, and a reader never sees half of one or an older one."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from feature_store.plans.plan_revisions import POINTER, current_plans, publish_plans
from feature_store.plans.service_plan import PlanError
from resources.settings import project_root
from serving.read.plan_folder import PlanFolder
from tests.serving.services import service_plan


def texts(*versions: int, owner: str = "growth") -> dict[str, str]:
    plans = [replace(service_plan(version), owner=owner) for version in versions]
    return {f"churn.v{plan.version}.json": plan.to_json() for plan in plans}


def served(folder: PlanFolder) -> set[str]:
    return {plan.full_name for plan in folder.plans}


def test_a_higher_revision_replaces_a_lower_one_and_never_the_other_way_round(tmp_path: Path) -> None:
    assert publish_plans(tmp_path, 5, texts(1)).revision == 5
    assert publish_plans(tmp_path, 4, texts(1, 2)).revision == 5
    assert publish_plans(tmp_path, 6, texts(1, 2)).revision == 6
    assert sorted(path.name for path in current_plans(tmp_path).folder.iterdir()) == ["churn.v1.json", "churn.v2.json"]


def test_readers_follow_and_read_only_what_changed(tmp_path: Path) -> None:
    folder = PlanFolder(tmp_path)
    publish_plans(tmp_path, 1, texts(1, 2))
    assert folder.refresh()
    kept, changed = folder.find("churn/v1"), folder.find("churn/v2")
    publish_plans(tmp_path, 2, {**texts(1), **texts(2, owner="stores")})
    assert folder.refresh()
    assert folder.find("churn/v1") is kept
    assert folder.find("churn/v2") is not changed
    publish_plans(tmp_path, 3, texts(2))
    assert folder.refresh()
    assert served(folder) == {"churn/v2"}


@pytest.mark.parametrize("content", ['{"revision": 1}', "nonsense", '{"revision": "3"}', "[]", None])
def test_a_pointer_that_is_damaged_gone_or_goes_back_changes_nothing(tmp_path: Path, content: str | None) -> None:
    publish_plans(tmp_path, 1, texts(1))
    publish_plans(tmp_path, 2, texts(1, 2))
    folder = PlanFolder(tmp_path)
    folder.refresh()
    if content is None:
        (tmp_path / POINTER).unlink()
    else:
        (tmp_path / POINTER).write_text(content)
    folder.refresh()
    assert served(folder) == {"churn/v1", "churn/v2"}
    is_damaged = content not in (None, '{"revision": 1}')
    assert (POINTER in folder.problems) == is_damaged
    publish_plans(tmp_path, 3, texts(2))
    folder.refresh()
    assert (served(folder), folder.problems) == ({"churn/v2"}, {})


def test_a_damaged_pointer_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / POINTER).write_text("{")
    with pytest.raises(PlanError, match=r"is damaged .* run `features plans sync`"):
        current_plans(tmp_path)


def test_a_stray_copy_of_a_plan_concerns_itself_alone(tmp_path: Path) -> None:
    """S6."""
    current = publish_plans(tmp_path, 1, texts(1, 2)).folder
    (current / "churn.v1 (copy).json").write_text(texts(2)["churn.v2.json"])
    (current / "deep.v1.json").write_text("[" * 100_000)
    folder = PlanFolder(tmp_path)
    folder.refresh()
    assert served(folder) == {"churn/v1", "churn/v2"}
    assert "is a copy of churn.v2.json: delete it" in folder.problems["churn.v1 (copy).json"]
    assert "deep.v1.json" in folder.problems


def test_old_revisions_are_forgotten_and_the_newest_stay(tmp_path: Path) -> None:
    for revision in range(1, 30):
        publish_plans(tmp_path, revision, texts(1))
    kept = sorted(int(path.name) for path in (tmp_path / "revisions").iterdir())
    assert kept == list(range(20, 30))


@pytest.mark.parametrize("seed", range(3))
def test_a_publisher_killed_at_any_point_leaves_a_whole_revision(tmp_path: Path, seed: int) -> None:
    code = (
        "import sys; from pathlib import Path; from feature_store.plans.plan_revisions import publish_plans\n"
        "for n in range(1, 100_000):\n"
        "    publish_plans(Path(sys.argv[1]), n, {f'{each}.json': str(n) for each in range(5)})\n"
        "    print(n, flush=True)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=project_root(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(Random(seed).randint(1, 40)):
            process.stdout.readline()
        process.kill()
        done = [int(line) for line in process.stdout.read().split("\n")[:-1]] or [0]
    current = current_plans(tmp_path)
    assert current.revision is not None
    assert current.revision >= done[-1]
    assert {path.read_text() for path in current.folder.iterdir()} == {str(current.revision)}
    assert len(list(current.folder.iterdir())) == 5
    assert publish_plans(tmp_path, current.revision + 1, {"a.json": "1"}).revision == current.revision + 1
