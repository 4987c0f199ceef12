"""Rows that repeat the id of an event count once, however they are built into tiles."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_store import (
    Entity,
    EventSource,
    Float64,
    Int64,
    String,
    Timestamp,
    col,
    count,
    feature_view,
    last,
    sum_,
)
from feature_store.engines.polars.snapshots import snapshot
from feature_store.engines.polars.tiles import build_tiles
from feature_store.oracle import snapshots as oracle
from tests.engine.frames import START, assert_snapshot, at, frame
from tests.engine.views import Daily

COLUMNS = {"id": String, "user": Int64, "amount": Float64, "order": Int64, "time": Timestamp}
SOURCE = EventSource(
    "delivered",
    asset="raw/delivered",
    event_time="time",
    sequence="order",
    event_id="id",
    columns=COLUMNS,
    start=START,
    description="d",
)


@feature_view(
    entity=Entity("user", keys={"user": Int64}, description="d"),
    source=SOURCE,
    namespace="engine",
    version=1,
    owner=Daily.owner,
    cadence="1d",
    freshness="2d",
)
class Delivered:
    """Events that may be delivered twice."""

    rows_2d = count(over="2d", description="d")
    large_2d = count(where=col("amount") > 1, over="2d", description="d")
    amount_4d = sum_(col("amount"), over="4d", hop="1d", description="d")
    last_amount = last(col("amount"), over="4d", hop="1d", description="d")


ROW = {
    "id": st.sampled_from([None, "", "a", "b", "c"]),
    "user": st.sampled_from([None, 1, 2]),
    "amount": st.sampled_from([None, 1.0, 2.0, 4.0]),
    "order": st.sampled_from([None, 0, 1]),
    "time": st.integers(0, 5 * 8 - 1).map(lambda step: at(hours=3 * step)),
}


@given(st.lists(st.fixed_dictionaries(ROW), max_size=20), st.data())
def test_an_event_counts_once_in_its_partition(rows, data):
    rows += data.draw(st.lists(st.sampled_from(rows), max_size=4)) if rows else []
    held = frame(rows, COLUMNS)
    tiles = build_tiles(Delivered, held.lazy(), START, at(days=5)).frame
    for days in (2, 3, 5):
        # Which of two rows with one id, time and order counts, nobody says: then anything may be in them.
        if not _is_ambiguous(rows):
            expected = oracle.snapshot(Delivered, rows, at(days=days))
            assert_snapshot(Delivered, snapshot(Delivered, tiles, at(days=days), None), rows, at(days=days), expected)
    by_day = [build_tiles(Delivered, held.lazy(), at(days=day), at(days=day + 1)).frame for day in range(5)]
    assert_frame_equal(tiles, pl.concat(by_day))


def _is_ambiguous(rows):
    seen = {}
    for row in rows:
        place = (row["user"], row["id"], row["time"], row["order"])
        if row["id"] is not None and seen.setdefault(place, row["amount"]) != row["amount"]:
            return True
    return False


def test_without_an_id_rows_are_events_of_their_own():
    row = {"id": None, "user": 1, "amount": 2.0, "order": 0, "time": at(hours=1)}
    tiles = build_tiles(
        Delivered, frame([row, row, {**row, "id": "a"}, {**row, "id": "a"}], COLUMNS).lazy(), START, at(days=1)
    )
    assert snapshot(Delivered, tiles.frame, at(days=1), None)["rows_2d"].to_list() == [3]


def test_rows_without_a_key_are_counted_each():
    row = {"id": "a", "user": None, "amount": 2.0, "order": 0, "time": at(hours=1)}
    excluded = build_tiles(Delivered, frame([row, row], COLUMNS).lazy(), START, START + timedelta(days=1)).excluded
    assert excluded == {START: 2}
