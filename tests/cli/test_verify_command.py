"""``features verify`` on the small store."""

import shutil
from pathlib import Path

import pytest

from feature_store.offline.tables.store import OfflineStore
from tests.fixtures.small_store import SmallStore
from tests.offline import damage


@pytest.fixture
def copied(small_store: SmallStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OfflineStore:
    """A copy of the small store's tables, which a test may damage."""
    state = tmp_path / "state"
    shutil.copytree(small_store.environment["FEATURES_STATE"], state)
    monkeypatch.setenv("FEATURES_STATE", str(state))
    return OfflineStore(str(state / "offline"))


def newest_file(store: OfflineStore) -> Path:
    folder = Path(store.stored_values("retail/household_campaign/v1").uri)
    return max(folder.glob("day=*/*.parquet"))


def test_verify_says_what_is_damaged_and_repairs_it(filled, copied, monkeypatch):
    assert filled.json("verify", "household_campaign")["repaired"] == []
    file = newest_file(copied)
    damage.flip(file)
    monkeypatch.setattr("feature_store.offline.delta.stored_files._checked", set())
    code, out, _ = filled("verify", "household_campaign")
    assert code == 1
    assert f"{file.parent.name}/{file.name}" in out
    code, out, _ = filled("verify", "household_campaign", "--repair")
    assert (code, "computed again" in out) == (0, True)
    assert all(table["damages"] == [] for table in filled.json("verify", "household_campaign")["tables"])


def test_verify_of_a_project_without_data_finds_nothing(features):
    assert all(table["partitions"] == 0 for table in features.json("verify")["tables"])
