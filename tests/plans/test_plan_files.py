"""D5: plans that may not be read or written, or for which there is no room, are errors of ours; readers keep theirs."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import FeatureStoreError, StorageError
from feature_store.plans.plan_revisions import POINTER, current_plans, publish_plans, read_plans
from feature_store.plans.service_plan import PlanError, plan_path, read_plan, write_plan
from serving.read.plan_folder import PlanFolder
from serving.read.requests import UnknownServiceError
from tests.offline.breakages import as_somebody_else, little_room, replace_by_file, turn_into_folder
from tests.offline.definitions import service

PLAN = compile_plan(service)
NAME = plan_path(Path(), PLAN.service, PLAN.version).name


@pytest.fixture
def folder() -> Iterator[Path]:
    """Plans of a revision, in a folder that everybody may enter."""
    parent = Path(tempfile.mkdtemp(prefix="plans-"))
    parent.chmod(0o755)
    publish_plans(parent / "plans", 1, {NAME: PLAN.to_json()})
    yield parent / "plans"
    shutil.rmtree(parent)


def revision(folder: Path) -> Path:
    return folder / "revisions" / "1"


FUNCTIONS: dict[str, Callable[[Path], object]] = {
    "current plans": current_plans,
    "read plans": read_plans,
    "read plan": lambda folder: read_plan(revision(folder) / NAME),
    "write plan": lambda folder: write_plan(revision(folder), PLAN),
    "publish": lambda folder: publish_plans(folder, 2, {NAME: PLAN.to_json() + " "}),
    "publish again": lambda folder: publish_plans(folder, 1, {NAME: PLAN.to_json() + " "}),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("closed", ["", "..", "revisions", "revisions/1", f"revisions/1/{NAME}", POINTER])
@pytest.mark.parametrize("mode", [0o000, 0o444, 0o555])
def test_what_may_not_be_read_or_written_is_an_error_of_ours(folder: Path, name: str, closed: str, mode: int) -> None:
    with as_somebody_else((folder / closed).resolve(), mode):
        try:
            FUNCTIONS[name](folder)
        except StorageError as error:
            assert "Permission denied" in str(error)  # noqa: PT017
            assert str(folder) in str(error)  # noqa: PT017
    assert read_plans(folder) == {PLAN.full_name: PLAN}


@pytest.mark.parametrize("name", ["write plan", "publish"])
def test_a_full_disk_is_an_error_of_ours_and_leaves_the_plans(folder: Path, name: str) -> None:
    with little_room(folder), pytest.raises(StorageError, match="plans cannot be written there"):
        FUNCTIONS[name](folder)
    assert read_plans(folder) == {PLAN.full_name: PLAN}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_folder_or_no_file_is_an_error_of_ours(folder: Path, name: str) -> None:
    for damage, place in ((turn_into_folder, folder / POINTER), (replace_by_file, folder)):
        damage(place)
        try:
            FUNCTIONS[name](folder)
        except FeatureStoreError as error:
            assert str(folder) in str(error)  # noqa: PT017


def test_a_plan_file_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(PlanError, match=r"there is no plan file .*nothing.v1.json: run `features plans sync`"):
        read_plan(folder / "nothing.v1.json")


@pytest.mark.parametrize("closed", ["", "..", "revisions", "revisions/1", f"revisions/1/{NAME}", POINTER])
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_reader_keeps_the_plans_that_it_has_while_they_may_not_be_read(folder: Path, closed: str, mode: int) -> None:
    plans = PlanFolder(folder)
    plans.refresh()
    with as_somebody_else((folder / closed).resolve(), mode):
        plans.refresh()
        assert plans.plans == [PLAN]
    assert plans.find(PLAN.service).plan == PLAN


@pytest.mark.parametrize("closed", ["", "..", "revisions", "revisions/1"])
def test_a_reader_that_never_might_says_so(folder: Path, closed: str) -> None:
    plans = PlanFolder(folder)
    with as_somebody_else((folder / closed).resolve(), 0o000):
        plans.refresh()
    with pytest.raises(UnknownServiceError, match="Permission denied") as raised:
        plans.find(PLAN.service)
    assert "there are none yet" not in str(raised.value)


def test_a_store_below_a_folder_that_may_not_be_entered_is_an_error_of_ours(folder: Path) -> None:
    from feature_store.offline.tables.store import OfflineStore

    with as_somebody_else(folder, 0o000), pytest.raises(StorageError, match="the offline store cannot be opened"):
        OfflineStore(str(folder / "revisions" / "offline"))
