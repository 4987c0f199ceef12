"""Rows that repeat the id of an event count once, however they are built into tiles."""

from __future__ import annotations

import math
from datetime import timedelta
from itertools import permutations

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
from feature_store.engines.polars.sorted_tiles import sort_tiles
from feature_store.engines.polars.tiles import build_tiles
from feature_store.oracle import snapshots as oracle
from tests.fixtures.frames import START, assert_snapshot, at, frame
from tests.fixtures.views import Daily

COLUMNS = {"id": String, "user": Int64, "amount": Float64, "place": String, "order": Int64, "time": Timestamp}
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
    by_place = count(by=col("place"), buckets=["a", "b"], over="2d", description="d")


ROW = {
    "id": st.sampled_from([None, "", "a", "b", "c"]),
    "user": st.sampled_from([None, 1, 2]),
    "amount": st.sampled_from([None, math.nan, 1.0, 2.0]),
    "place": st.sampled_from([None, "a", "b", "c"]),
    "order": st.sampled_from([None, 0, 1]),
    "time": st.integers(0, 5 * 8 - 1).map(lambda step: at(hours=3 * step)),
}


@given(st.lists(st.fixed_dictionaries(ROW), max_size=20), st.data())
def test_an_event_counts_once_in_its_partition(rows, data):
    if rows:
        repeated = st.tuples(st.sampled_from(rows), ROW["amount"], ROW["place"])
        rows += [{**row, "amount": amount, "place": place} for row, amount, place in data.draw(st.lists(repeated))]
    held = frame(rows, COLUMNS)
    tiles = build_tiles(Delivered, held.lazy(), START, at(days=5)).frame
    for days in (2, 3, 5):
        expected = oracle.snapshot(Delivered, rows, at(days=days))
        assert_snapshot(
            Delivered,
            snapshot(Delivered, sort_tiles(Delivered, tiles), at(days=days), None),
            rows,
            at(days=days),
            expected,
        )
    by_day = [build_tiles(Delivered, held.lazy(), at(days=day), at(days=day + 1)).frame for day in range(5)]
    assert_frame_equal(tiles, pl.concat(by_day))
    shuffled = frame(data.draw(st.permutations(rows)), COLUMNS)
    assert_frame_equal(tiles, build_tiles(Delivered, shuffled.lazy(), START, at(days=5)).frame)


def test_the_first_of_several_rows_counts_whichever_filters_and_buckets_it_passes():
    row = {"id": "a", "user": 1, "order": 0}
    rows = [
        {**row, "amount": 1.0, "place": "b", "time": at(hours=1)},
        {**row, "amount": 2.0, "place": "a", "time": at(hours=1)},
        {**row, "amount": 2.0, "place": "b", "time": at(hours=2)},
    ]
    for delivered in permutations(rows):
        tiles = build_tiles(Delivered, frame(delivered, COLUMNS).lazy(), START, at(days=1)).frame
        (values,) = snapshot(Delivered, sort_tiles(Delivered, tiles), at(days=1), None).to_dicts()
        # The first by time, order, then the columns as they are declared: amount comes before place.
        assert (values["rows_2d"], values["large_2d"], values["by_place"]) == (1, 0, [0, 1])


def test_without_an_id_rows_are_events_of_their_own():
    row = {"id": None, "user": 1, "amount": 2.0, "place": None, "order": 0, "time": at(hours=1)}
    tiles = build_tiles(
        Delivered, frame([row, row, {**row, "id": "a"}, {**row, "id": "a"}], COLUMNS).lazy(), START, at(days=1)
    )
    assert snapshot(Delivered, sort_tiles(Delivered, tiles.frame), at(days=1), None)["rows_2d"].to_list() == [3]


def test_rows_without_a_key_are_counted_each():
    row = {"id": "a", "user": None, "amount": 2.0, "place": None, "order": 0, "time": at(hours=1)}
    excluded = build_tiles(Delivered, frame([row, row], COLUMNS).lazy(), START, START + timedelta(days=1)).excluded
    assert excluded == {START: 2}
