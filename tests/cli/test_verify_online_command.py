"""``features verify --online`` on a copy of the small store, whose views are loaded into a store of its own."""

import os
import shutil
from pathlib import Path

import pytest
import redis

from feature_assets.project import load_declarations
from feature_assets.project.clock import now
from feature_store.offline.tables.store import OfflineStore
from serving.load.sync import sync_view
from serving.stores.open_store import open_inspector, open_loader
from serving.stores.redis.keys import row_prefix
from tests.fixtures.small_store import SmallStore

VIEW = "retail/household_campaign/v1"


@pytest.fixture
def online(filled, small_store: SmallStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valkey: str) -> str:
    """The URL of an empty store; the ledgers say that everything was loaded."""
    state = tmp_path / "state"
    shutil.copytree(small_store.environment["FEATURES_STATE"], state)
    monkeypatch.setenv("FEATURES_STATE", str(state))
    monkeypatch.setenv("FEATURES_ONLINE_URL", valkey)
    return valkey


def damage_a_row(url: str) -> None:
    inspector = open_inspector(url)
    served = max(inspector.generations(VIEW), key=lambda each: each.rank)
    entity = next(inspector.entities(VIEW, served)).to_list()[0]
    inspector.close()
    with redis.Redis.from_url(url) as client:
        client.setrange(row_prefix(served.id) + entity, 9, b"!!")


def test_what_is_lost_or_damaged_online_is_told_and_loaded_again(filled, online):
    code, out, _ = filled("verify", "household_campaign", "--online")
    assert (code, "the store does not hold it" in out) == (1, True)
    code, out, _ = filled("verify", "household_campaign", "--online", "--repair")
    assert (code, "loaded again" in out) == (0, True)
    damage_a_row(online)
    assert filled("verify", "household_campaign", "--online", "--sample", "100000")[0] == 1
    code, out, _ = filled("verify", "household_campaign", "--online", "--json")
    assert (code, '"problem": "1 of ' in out) == (1, True)
    code, out, _ = filled("verify", "household_campaign", "--online", "--repair")
    assert (code, f"{VIEW}: loaded again" in out) == (0, True)
    (found,) = filled.json("verify", "household_campaign", "--online")["views"]
    assert (found["damages"], found["due"], found["unverifiable"]) == ([], [], 0)
    assert found["rows"] > 0


def test_a_view_that_cannot_be_loaded_again_is_told_with_the_reason(filled, online, monkeypatch):
    # What is lost offline, too, cannot be loaded from there.
    state = Path(OfflineStore(str(Path(os.environ["FEATURES_STATE"]) / "offline")).stored_values(VIEW).uri)
    for file in state.glob("day=*/*.parquet"):
        file.write_bytes(file.read_bytes()[:-4])
    monkeypatch.setattr("feature_store.offline.delta.stored_files._checked", set())
    code, out, _ = filled("verify", "household_campaign", "--online", "--repair")
    assert code == 1
    assert "household_campaign/v1/values" in out


def test_all_views_are_verified_and_the_stream_is_one_of_them(filled, online, small_store):
    writer = open_loader(online)
    for view in load_declarations().views.values():
        sync_view(small_store.offline, view, writer, now())
    writer.close()
    views = filled.json("verify", "--online")["views"]
    assert len(views) > 5
    assert [view for view in views if view["damages"]] == []
    assert all(view["generations"] for view in views)


def test_a_sample_is_one_of_what_is_online(filled):
    assert "use it with --online" in filled.refused("verify", "--sample", "10")
    assert "--sample" in filled.refused("verify", "--online", "--sample", "0")


def test_a_store_that_does_not_answer_is_told_in_a_line(filled, monkeypatch):
    monkeypatch.setenv("FEATURES_ONLINE_URL", "redis://:secret@127.0.0.1:1/0")
    message = filled.refused("verify", "--online")
    assert "online store redis://127.0.0.1:1/0" in message
    assert "secret" not in message
