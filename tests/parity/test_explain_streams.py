"""Explaining a stream view: who owns which tiles, which of them count, and what nobody tells of."""

import random
import shutil
from datetime import datetime, timedelta

import polars as pl
import pytest

from feature_assets.explain import Explanation, explain
from feature_assets.parity.report import Value
from feature_store import Status
from feature_store.engines.polars.stream_tiles import build_stream_tiles
from feature_store.offline.materialize.materialize import compute_tiles
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.streams import stream_as_of
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from serving.streams.writer import StreamWriter
from tests.fixtures.frames import START, at, frame
from tests.fixtures.stream_views import LIVE, Live, plan_of
from tests.fixtures.views import COLUMNS
from tests.offline.stream_world import random_row

DAYS, STREAMED = 14, 13
KEYS = {"left": "1", "right": "12"}
TIME = at(days=STREAMED, hours=5) + timedelta(minutes=7, seconds=31, microseconds=5)


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    dice = random.Random(3)
    times = [at(days=dice.randrange(DAYS), hours=dice.random() * 24) for _ in range(250)]
    near = [stream_as_of(Live, TIME) + timedelta(seconds=s) for s in (-700, -61, -3, -1, 0, 2)]
    return [random_row(dice, time) for time in times] + [{**random_row(dice, time), **KEYS} for time in near]


@pytest.fixture
def store(tmp_path, rows) -> OfflineStore:
    """Batch tiles of all days but the newest, of which the stream covers a part, and all of the day before."""
    store = OfflineStore(str(tmp_path / "offline"))
    store.source(LIVE.asset).write(frame(rows, COLUMNS), START, at(days=DAYS), time_column="time", run_id="r")
    compute_tiles(store, Live, START, at(days=STREAMED), "r")
    tiles = build_stream_tiles(Live, frame(rows, COLUMNS).lazy(), at(days=STREAMED - 1), at(days=DAYS)).frame
    store.stream_copy(Live.full_name).append(
        tiles.drop("partition_start"),
        plan_of(Live),
        writer="w",
        sequence=0,
        start=at(days=STREAMED - 1),
        end=at(days=STREAMED, hours=9),
    )
    return store


def explained(store: OfflineStore, feature: str, time: datetime = TIME) -> Explanation:
    return explain(store, Live, Live.feature(feature), KEYS, time, None, most=1000)


def test_batch_end_lag_and_owners_are_shown(store):
    found = explained(store, "number_12d")
    facts = found.partition
    assert (facts.status, facts.batch_end) == ("PRESENT", at(days=STREAMED))
    assert facts.as_of == stream_as_of(Live, TIME) == at(days=STREAMED, hours=5) + timedelta(minutes=7, seconds=26)
    assert facts.available_at == at(days=STREAMED, hours=2)
    assert f"the stream is complete up to {at(days=STREAMED, hours=9):%Y-%m-%dT%H:%M:%SZ}" in facts.notes
    assert found.sides.agree, found.sides
    assert found.sides.recomputed == found.sides.offline
    origins = {tile.origin: tile for tile in found.contents.tiles.shown}
    assert origins["batch"].end <= at(days=STREAMED)
    assert {tile.origin for tile in found.contents.tiles.shown if tile.start >= at(days=STREAMED)} == {"stream"}


@pytest.mark.parametrize("feature", ["rows_15m", "rows_10s", "values_1h", "sum_36h", "number_12d"])
def test_the_tiles_that_count_hold_exactly_the_events_that_count(store, feature):
    contents = explained(store, feature).contents
    window = Live.feature(feature).aggregation.window
    assert contents.window.head == stream_as_of(Live, TIME)
    of_filter = sum(tile.state["rows"] for tile in contents.tiles.shown)
    null_inputs = sum(listing.total for reason, listing in contents.missed.items() if reason == "null input")
    assert of_filter == contents.counted.total + null_inputs
    assert {tile.end - tile.start for tile in contents.tiles.shown} <= {
        timedelta(microseconds=span) for span in Live.levels if span <= window.hop
    }


def test_events_at_the_head_and_before_the_tail_just_miss(store):
    missed = explained(store, "rows_15m").contents.missed
    (after,) = [listing for reason, listing in missed.items() if reason.startswith("at or after the as-of")]
    assert [event.off_by for event in after.shown[:2]] == ["0:00:00", "0:00:02"]


def test_what_the_stream_does_not_cover_is_not_computed(store):
    found = explained(store, "sum_36h", at(days=STREAMED, hours=11))
    assert found.partition.status == "NOT_COMPUTED"
    assert found.partition.notes[-1] == (
        "sum_36h is not known at T: its window includes time that neither batch tiles nor the stream covers: "
        f"the partition from {at(days=STREAMED):%Y-%m-%dT%H:%M:%SZ}"
    )
    assert found.contents is None
    assert found.sides.verdict == "same: offline as recomputed"


def test_a_hole_in_the_batch_hides_events_from_the_second_computation_too(tmp_path):
    """The only event lies in windows that the hole makes unknown: the entity is EMPTY for all others."""
    store, event = OfflineStore(str(tmp_path)), {**random_row(random.Random(1), at(days=12, hours=1)), **KEYS}
    store.source(LIVE.asset).write(frame([event], COLUMNS), at(), at(days=16), time_column="time", run_id="r")
    compute_tiles(store, Live, at(), at(days=10), "r")
    compute_tiles(store, Live, at(days=11), at(days=15), "r")
    time = at(days=14, hours=15)
    known, unknown = explained(store, "rows_15m", time), explained(store, "number_12d", time)
    assert (known.sides.offline, known.sides.recomputed) == (Value(0, Status.EMPTY), Value(0, Status.EMPTY))
    assert unknown.sides.recomputed == unknown.sides.offline == Value(None, Status.NOT_COMPUTED)
    assert unknown.partition.notes[-1].endswith(f"the partition from {at(days=10):%Y-%m-%dT%H:%M:%SZ}")
    trend = explained(store, "trend", time).partition
    assert trend.status == "EMPTY"


def test_before_any_batch_tiles_nothing_is_known(store):
    found = explained(store, "sum_36h", at(hours=1))
    assert found.partition.status == "NOT_COMPUTED"
    assert "the stream alone does not answer" in found.partition.notes[0]


def test_derived_and_on_read_features_show_what_they_read(store):
    trend = explained(store, "trend")
    assert [read.feature for read in trend.reads] == ["sum_36h", "sum_1h"]
    assert all(read.sides.agree and read.window is not None for read in trend.reads)
    days = explained(store, "days")
    (read,) = days.reads
    assert days.sides.recomputed.value == (TIME - read.sides.offline.value) / timedelta(days=1)
    assert days.sides.agree


def test_what_only_the_online_store_knows_is_not_called_different(store, rows, valkey):
    """Without an offline copy nobody but the online store knows what was streamed since the last batch tiles."""
    shutil.rmtree(store.stream_copy(Live.full_name).uri)
    writer, loader = StreamWriter(valkey, Live, since=at(days=STREAMED)), open_loader(valkey)
    sync_view(store, Live, loader, TIME)
    events = frame(rows, COLUMNS).filter(pl.col("time") >= at(days=STREAMED), pl.col("time") < TIME)
    writer.append(events)
    writer.close()
    loader.close()
    for feature in ("rows_15m", "trend"):
        found = explain(store, Live, Live.feature(feature), KEYS, TIME, valkey)
        assert (found.sides.offline.status, found.sides.online.status) == (Status.NOT_COMPUTED, Status.PRESENT)
        assert found.sides.verdict == "not comparable: only the online store knows the value"
        assert found.sides.agree
