"""The offline copy of a stream is not believed either: its files, its log, its ledger; upkeep hides no damage."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from feature_store.errors import DamagedError, DamagedRecordError
from feature_store.offline.delta import stored_files
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.verify import verify_table
from tests.fixtures.frames import at
from tests.fixtures.stream_views import Live
from tests.offline.damage import DAMAGES, flip
from tests.offline.definitions import INSTANT
from tests.offline.stream_world import DAYS, World, build_world

TIME = at(days=DAYS - 4, hours=4)
"""Answered from what the stream wrote."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build_world(tmp_path / "streams", 1)


def join(world: World) -> pl.DataFrame:
    schema = {"time": INSTANT, "left": pl.String, "right": pl.String}
    spine = pl.DataFrame([(TIME, "1", "12"), (TIME, "11", "2")], schema=schema, orient="row")
    return point_in_time_join(world.store, world.plan, spine, "time", allow_missing=True, with_status=True)


def files(store: OfflineStore) -> list[Path]:
    """Return the files of the day that is read."""
    uris = DeltaTable(store.stream_copy(Live.full_name).uri).file_uris()
    return [Path(uri.removeprefix("file://")) for uri in uris if f"day={TIME.date()}" in uri]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_an_error_that_says_what_to_put_back(world: World, damage: str) -> None:
    join(world)
    DAMAGES[damage](files(world.store)[0])
    stored_files._checked.clear()
    with pytest.raises(DamagedError, match="put the log and the files of the stream's copy back"):
        join(world)
    found = verify_table(world.store.stream_copy(Live.full_name))
    assert [each.day for each in found.damages] == [TIME.date()]


def test_a_file_that_the_log_lists_no_more_is_noticed(world: World) -> None:
    lost = files(world.store)[0].name
    for commit in (Path(world.store.stream_copy(Live.full_name).uri) / "_delta_log").glob("*.json"):
        kept = [line for line in commit.read_text().splitlines() if not (lost in line and line.startswith('{"add"'))]
        commit.write_text("\n".join(kept))
    with pytest.raises(DamagedError, match=r"its files have \d+ rows, \d+ were written"):
        join(world)


@pytest.mark.parametrize(
    "change",
    [lambda tags: {**tags, "end": str(int(tags["end"]) + 1)}, lambda tags: {**tags, "sequence": "9"}],
    ids=["end", "sequence"],
)
def test_what_a_write_says_of_itself_is_refused_once_it_was_changed(world: World, change: Callable) -> None:
    log = Path(world.store.stream_copy(Live.full_name).uri) / "_delta_log"
    commit = max(log.glob("*.json"))
    actions = [json.loads(line) for line in commit.read_text().splitlines()]
    for action in actions:
        if "commitInfo" in action:
            action["commitInfo"] = change(action["commitInfo"])
    commit.write_text("\n".join(map(json.dumps, actions)))
    with pytest.raises(DamagedRecordError, match="says of itself is not what was written"):
        join(world)


def test_upkeep_merges_files_and_leaves_them_if_one_is_damaged(world: World) -> None:
    copy, before = world.store.stream_copy(Live.full_name), join(world)
    damaged = files(world.store)[0]
    whole = damaged.read_bytes()
    flip(damaged)
    stored_files._checked.clear()
    copy._keep_up(DeltaTable(copy.uri))
    assert damaged in files(world.store)
    with pytest.raises(DamagedError):
        join(world)
    damaged.write_bytes(whole)
    copy._keep_up(DeltaTable(copy.uri))
    assert len(files(world.store)) == 1
    assert join(world).equals(before)
    assert copy.open().check_files(date.min, date.max)["crc"].null_count() == 0
    assert verify_table(copy).is_sound
