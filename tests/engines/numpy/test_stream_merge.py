"""Merging tiles of any T equals counting the events themselves, whatever the order in which tiles come."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store import FeatureView
from feature_store.codec.stream_tiles import StreamTiles, concat_tiles
from feature_store.engines.numpy.stream_retention import is_kept
from feature_store.errors import InputError
from feature_store.oracle import snapshots as oracle
from feature_store.oracle.snapshots import derived_value, float_scale, keys_of
from feature_store.plans.stream_plan import StreamPlan
from feature_store.temporal.durations import SECOND
from feature_store.temporal.instants import to_microseconds
from tests.engines.polars.test_snapshots import events
from tests.fixtures.frames import START, assert_value, at
from tests.fixtures.stream_views import STREAM_VIEWS, Live, instant, merged, plan_of, stream_tiles, values_of

END = at(days=28)
MICROSECOND = timedelta(microseconds=1)


@st.composite
def as_ofs(draw: st.DrawFn, view: FeatureView) -> datetime:
    """Whole seconds anywhere, and those at the bounds of every level."""
    anywhere = draw(st.integers(0, 28 * 86_400))
    step = draw(st.sampled_from([1, *(level // SECOND for level in view.levels)]))
    return START + timedelta(seconds=anywhere // step * step + draw(st.sampled_from([0, 0, 1, -1])))


@st.composite
def cases(draw: st.DrawFn, view: FeatureView) -> tuple[list[dict], list[datetime]]:
    asked = draw(st.lists(as_ofs(view), min_size=1, max_size=4))
    rows = draw(events(view, asked[0]))
    floors = [
        instant(to_microseconds(as_of) // level * level) for as_of in asked for level in view.levels if as_of >= START
    ]
    if floors:
        near = st.builds(
            lambda row, edge, delta: {**row, "time": edge + delta},
            st.sampled_from(rows) if rows else st.nothing(),
            st.sampled_from(floors),
            st.sampled_from([-MICROSECOND, 0 * MICROSECOND, MICROSECOND]),
        )
        rows += draw(st.lists(near, max_size=6)) if rows else []
    return rows, asked


def is_landed(row: dict) -> bool:
    return row["time"] is not None and START <= row["time"] < END


def entities_of(view: FeatureView, rows: list[dict]) -> list[tuple]:
    return sorted({keys_of(view, row) for row in rows if is_landed(row) and None not in keys_of(view, row)})


@pytest.mark.parametrize("view", STREAM_VIEWS, ids=lambda view: view.name)
@given(data=st.data())
def test_merged_tiles_are_the_counted_events(view: FeatureView, data: st.DataObject) -> None:
    rows, asked = data.draw(cases(view))
    entities = [*entities_of(view, rows), ("nobody",) * len(view.keys)]
    tiles = stream_tiles(view, rows, entities, END)
    for as_of in asked:
        result = merged(view, tiles, [to_microseconds(as_of)] * len(entities))
        for place, (keys, values) in enumerate(zip(entities, values_of(view, result), strict=True)):
            own = [row for row in rows if is_landed(row) and keys_of(view, row) == keys]
            assert result.counted[place] == oracle.is_present(view, own, as_of)
            assert_values(view, values, own, as_of)


def assert_values(view: FeatureView, values: dict, rows: list[dict], as_of: datetime) -> None:
    expected = oracle.entity_values(view, rows, as_of)
    for feature in view.stored_features:
        wanted = expected[feature.name]
        if feature.kind == "derived":
            wanted = derived_value(view, feature, {read: values[read] for read in feature.reads})
        where = f"{feature.name} at {as_of}"
        assert_value(values[feature.name], wanted, feature.dtype, float_scale(view, feature, rows, as_of), where)


@given(data=st.data())
def test_the_order_of_tiles_changes_no_bit(data: st.DataObject) -> None:
    rows, asked = data.draw(cases(Live))
    entities = entities_of(Live, rows)
    tiles = stream_tiles(Live, rows, entities, END)
    as_of = [to_microseconds(asked[0])] * len(entities)
    shuffled = np.array(random.Random(data.draw(st.integers(0, 9))).sample(range(len(tiles)), len(tiles)), np.int64)
    half = data.draw(st.integers(0, len(tiles)))
    split = concat_tiles([tiles.take(shuffled[half:]), tiles.take(shuffled[:half])])
    one, other = merged(Live, tiles, as_of), merged(Live, split, as_of)
    for name, column in one.values.items():
        assert (column.valid == other.values[name].valid).all()
        assert (column.values[column.valid] == other.values[name].values[column.valid]).all()


@given(data=st.data())
def test_tiles_that_no_later_time_needs_can_be_dropped(data: st.DataObject) -> None:
    """What is kept online of an as-of answers for it and every later one."""
    rows, (kept_at, *_) = data.draw(cases(Live))
    later = to_microseconds(kept_at) + data.draw(st.integers(0, 100_000)) * SECOND
    entities = entities_of(Live, rows)
    tiles = stream_tiles(Live, rows, entities, END)
    since = np.full(len(entities), to_microseconds(kept_at), np.int64)
    kept = tiles.take(is_kept(plan_of(Live), tiles, since, kept_from=None))
    whole, part = (values_of(Live, merged(Live, given, [later] * len(entities))) for given in (tiles, kept))
    assert whole == part


def test_tiles_at_every_bound_are_kept_as_long_as_they_count() -> None:
    kept_at = to_microseconds(at(days=20, hours=5.5)) + 227 * SECOND
    bounds = {window.tail(kept_at) for window in Live.windows} | {kept_at // span * span for span in Live.levels}
    row = {"left": "a", "right": "b", "number": 1, "value": 1.0, "flag": True, "text": "a"}
    rows = [{**row, "time": instant(bound + tick)} for bound in bounds for tick in (0, SECOND, -1)]
    tiles = stream_tiles(Live, rows, [("a", "b")], END)
    kept = tiles.take(is_kept(plan_of(Live), tiles, np.array([kept_at]), kept_from=None))
    assert len(kept) < len(tiles)
    for later in (0, 1, 13, 72, 73, 2_000):
        whole, part = (values_of(Live, merged(Live, given, [kept_at + later * SECOND])) for given in (tiles, kept))
        assert whole == part


def test_values_fall_as_events_leave_the_window() -> None:
    row = {"left": "a", "right": "b", "value": 2.0}
    rows = [{**row, "time": at(hours=1)}, {**row, "time": at(hours=1, microseconds=30 * 60 * SECOND)}]
    tiles = stream_tiles(Live, rows, [("a", "b")], at(days=1))
    minutes = [60, 61, 90, 91, 120, 124, 125, 150, 155]
    counts = [
        values_of(Live, merged(Live, tiles, [to_microseconds(at()) + minute * 60 * SECOND + SECOND]))[0]["values_1h"]
        for minute in minutes
    ]
    # The tail moves in steps of five minutes: the event at 60 min counts until the tail is past it.
    assert counts == [1, 1, 2, 2, 2, 2, 1, 1, 0]


def test_sums_of_integers_that_do_not_fit_are_those_of_one_feature_and_entity() -> None:
    keys = [("a", "b"), ("c", "d"), ("e", "f")]
    numbers = {keys[0]: [2**62, 2**62 - 1], keys[1]: [2**62, 2**62], keys[2]: [-(2**62), -(2**62) - 1]}
    rows = [
        {"left": left, "right": right, "number": number, "time": at(days=day)}
        for (left, right), each in numbers.items()
        for day, number in enumerate(each)
    ]
    result = merged(Live, stream_tiles(Live, rows, keys, at(days=3)), [to_microseconds(at(days=5))] * 3)
    assert {name: rows.tolist() for name, rows in result.unfit.items()} == {"number_12d": [False, True, True]}
    assert result.values["number_12d"].valid.tolist() == [True, False, False]
    assert result.values["number_12d"].values[0] == 2**63 - 1
    with pytest.raises(InputError, match=r"streams/live/v1.number_12d: a sum of integers does not fit Int64"):
        result.refuse_unfit(Live.full_name)


@pytest.mark.parametrize("view", STREAM_VIEWS, ids=lambda view: view.name)
@given(data=st.data())
def test_rows_of_several_instants_are_what_each_instant_alone_gives(view: FeatureView, data: st.DataObject) -> None:
    rows, asked = data.draw(cases(view))
    entities = entities_of(view, rows) or [("nobody",) * len(view.keys)]
    tiles = stream_tiles(view, rows, entities, END)
    together = concat_tiles([replace(tiles, row=tiles.row * len(asked) + place) for place in range(len(asked))])
    every = values_of(view, merged(view, together, [to_microseconds(as_of) for _ in entities for as_of in asked]))
    for place, as_of in enumerate(asked):
        alone = merged(view, tiles, [to_microseconds(as_of)] * len(entities))
        assert every[place :: len(asked)] == values_of(view, alone)


def test_plans_come_back_from_json() -> None:
    plan = plan_of(Live)
    assert StreamPlan.from_record(json.loads(json.dumps(asdict(plan)))) == plan


def test_no_tiles_at_all() -> None:
    empty = stream_tiles(Live, [], [], at(days=1))
    assert isinstance(empty, StreamTiles)
    result = merged(Live, empty, [0, SECOND])
    assert not result.counted.any()
    assert values_of(Live, result)[0]["number_12d"] == 5
    assert len(merged(Live, empty, []).counted) == 0
