from __future__ import annotations

import math
import random
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_store import FeatureView
from feature_store.engines.numpy.empty_values import empty_values
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.engines.polars.snapshots import merge_state, snapshot
from feature_store.engines.polars.sorted_tiles import sort_tiles
from feature_store.engines.polars.states import state_schema, tile_schema
from feature_store.engines.polars.tiles import build_tiles
from feature_store.errors import InputError
from feature_store.oracle import snapshots as oracle
from feature_store.oracle.expressions import microseconds
from tests.fixtures.frames import START, assert_snapshot, at, frame
from tests.fixtures.views import COLUMNS, EVENT_VIEWS, Daily, Filtered, Grown, Hourly, Weekly

END = at(days=28)
"""Tiles are built for four weeks; the values are looked at anywhere in and after them."""

MICROSECOND = timedelta(microseconds=1)


def bounds(view: FeatureView, as_of: datetime) -> list[datetime]:
    """The instants at which something changes: the as-of, every tail, the ends of partitions around them."""
    tails = [oracle.EPOCH + MICROSECOND * window.tail(microseconds(as_of)) for window in view.windows]
    step = timedelta(microseconds=view.cadence)
    return [START, END, as_of, *tails, as_of - step, *(tail + step for tail in tails)]


def times(view: FeatureView, as_of: datetime) -> st.SearchStrategy[datetime | None]:
    edges = st.sampled_from(bounds(view, as_of))
    around = st.sampled_from([-MICROSECOND, 0 * MICROSECOND, MICROSECOND, timedelta(minutes=-7)])
    anywhere = st.integers(-10, 28 * 24 * 6).map(lambda step: START + timedelta(minutes=10) * step)
    return st.builds(lambda edge, delta: edge + delta, edges, around) | anywhere | st.none()


def as_ofs(view: FeatureView) -> st.SearchStrategy[datetime]:
    step = timedelta(microseconds=view.cadence)
    count = (END - START) // step
    return st.integers(1, count).map(lambda place: START + step * place)


VALUES = st.sampled_from([0.0, -0.0, 1.5, -2.25, 0.1, 1e15, -1e15, 3e38, math.nan, math.inf, -math.inf])
KEYS = st.sampled_from(["1", "12", "11", "2", ""])


@st.composite
def events(draw: st.DrawFn, view: FeatureView, as_of: datetime) -> list[dict]:
    row = {
        "time": times(view, as_of),
        "sequence": st.sampled_from([None, 0, 1, -1]),
        "number": st.sampled_from([None, 0, 1, 2, -3, 2**53 + 1]),
        "value": st.none() | VALUES,
        "narrow": st.sampled_from([None, 0.5, -0.0, math.nan, 3.0]),
        "flag": st.sampled_from([None, True, False]),
        "text": st.sampled_from([None, "a", "A", "b", "", "é"]),
        "moment": st.sampled_from([None, at(), at(days=1), at(days=1, microseconds=1)]),
        "left": st.none() | KEYS,
        "right": st.none() | KEYS,
    }
    rows = draw(st.lists(st.fixed_dictionaries(row), max_size=25))
    twice = draw(st.lists(st.sampled_from(rows), max_size=3)) if rows else []
    return rows + twice


def landed(rows: list[dict]) -> list[dict]:
    return [row for row in rows if row["time"] is not None and START <= row["time"] < END]


def built(view: FeatureView, rows: list[dict], chunks: int = 1) -> pl.DataFrame:
    return build_tiles(view, frame(rows, COLUMNS, chunks).lazy(), START, END).frame


def history(view: FeatureView, tiles: pl.DataFrame, as_of: datetime) -> pl.DataFrame | None:
    return merge_state(view, None, tiles.filter(pl.col("tile_start") < as_of)) if view.has_all_history else None


def view_and_events(views: list[FeatureView] = EVENT_VIEWS) -> st.SearchStrategy[tuple]:
    chosen = st.sampled_from(views).flatmap(lambda view: st.tuples(st.just(view), as_ofs(view)))
    return chosen.flatmap(lambda pair: st.tuples(st.just(pair[0]), st.just(pair[1]), events(*pair)))


@pytest.mark.parametrize("view", EVENT_VIEWS, ids=repr)
@given(data=st.data())
def test_snapshots_equal_the_oracle(view, data):
    as_of = data.draw(as_ofs(view))
    rows = data.draw(events(view, as_of))
    tiles = built(view, rows)
    values = snapshot(view, sort_tiles(view, tiles), as_of, history(view, tiles, as_of))
    assert_snapshot(view, values, landed(rows), as_of, oracle.snapshot(view, landed(rows), as_of))


@given(view_and_events(), st.integers(1, 5), st.randoms(use_true_random=False))
def test_tiles_do_not_depend_on_order_or_chunks(case, chunks, shuffle):
    view, _as_of, rows = case
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    first, second = built(view, rows), built(view, shuffled, chunks)
    assert_frame_equal(first, second, check_exact=True)


@given(view_and_events(), st.integers(1, 27), st.randoms(use_true_random=False))
def test_tiles_of_partitions_are_the_same_however_many_are_built_at_once(case, day, shuffle):
    view, as_of, rows = case
    split = START + timedelta(days=day) // timedelta(microseconds=view.cadence) * timedelta(microseconds=view.cadence)
    source = frame(rows, COLUMNS).lazy()
    parts = [build_tiles(view, source, *span).frame for span in ((START, split), (split, END))]
    whole = built(view, rows)
    assert_frame_equal(pl.concat(parts), whole, check_exact=True)
    mixed = whole.sample(fraction=1, shuffle=True, seed=shuffle.randint(0, 99))
    state = history(view, whole, as_of)
    assert_frame_equal(
        snapshot(view, sort_tiles(view, mixed), as_of, state),
        snapshot(view, sort_tiles(view, whole), as_of, state),
        check_exact=True,
    )


@given(
    view_and_events([Weekly, Filtered, Grown]),
    st.lists(st.integers(0, 28), max_size=4),
    st.randoms(use_true_random=False),
)
def test_state_grown_in_portions_equals_state_of_everything(case, days, shuffle):
    view, _as_of, rows = case
    tiles = built(view, rows)
    cuts = [START, *(at(days=day) for day in sorted(days)), END]
    spans = list(pairwise(cuts))
    shuffle.shuffle(spans)
    state = None
    for start, end in spans:
        state = merge_state(view, state, tiles.filter(pl.col("tile_start") >= start, pl.col("tile_start") < end))
    values = snapshot(view, sort_tiles(view, tiles), END, state)
    assert_snapshot(view, values, landed(rows), END, oracle.snapshot(view, landed(rows), END))
    assert state.schema == state_schema(view)


@given(view_and_events())
def test_no_tile_without_a_counted_row_and_null_keys_are_counted(case):
    view, _as_of, rows = case
    tiles = build_tiles(view, frame(rows, COLUMNS).lazy(), START, END)
    assert tiles.frame.schema == tile_schema(view)
    counts = [slot.rows_column() for aggregation in view.aggregations for slot in aggregation.slots()]
    assert tiles.frame.filter(pl.max_horizontal(counts) == 0).is_empty()
    assert not tiles.frame.select("tile_start", *view.keys).is_duplicated().any()
    wanted: dict[datetime, int] = {}
    assert tiles.without_time == sum(row["time"] is None for row in rows)
    for row in landed(rows):
        if None in oracle.keys_of(view, row):
            step = timedelta(microseconds=view.cadence)
            start = oracle.EPOCH + (row["time"] - oracle.EPOCH) // step * step
            wanted[start] = wanted.get(start, 0) + 1
    assert tiles.excluded == wanted


def plain_row(**values) -> dict:
    return {**dict.fromkeys(COLUMNS), "left": "a", "right": "b", "number": 1, **values}


@pytest.mark.parametrize("view", EVENT_VIEWS, ids=repr)
def test_empty_input(view):
    tiles = build_tiles(view, frame([], COLUMNS).lazy(), START, END)
    assert tiles.frame.schema == tile_schema(view)
    assert tiles.excluded == {}
    state = history(view, tiles.frame, END)
    assert state is None or state.schema == state_schema(view)
    values = snapshot(view, sort_tiles(view, tiles.frame), END, state)
    assert values.is_empty()
    assert values.schema == {
        **{key: polars_dtype(dtype) for key, dtype in view.entity.keys.items()},
        **{feature.name: polars_dtype(feature.dtype) for feature in view.stored_features},
    }


@pytest.mark.parametrize("view", EVENT_VIEWS, ids=repr)
def test_empty_values_equal_the_oracle(view):
    wanted = {
        name: microseconds(value) if isinstance(value, datetime) else value
        for name, value in oracle.empty_values(view).items()
    }
    assert empty_values(view) == wanted


def test_an_event_counts_from_its_tail_to_just_before_the_as_of():
    as_of, tail = at(days=10), at(days=3)
    for time, counted in ((tail - MICROSECOND, 0), (tail, 1), (as_of - MICROSECOND, 1), (as_of, 0)):
        rows = [plain_row(time=time), plain_row(time=at(days=5), value=1.0)]
        values = snapshot(Daily, sort_tiles(Daily, built(Daily, rows)), as_of, None)
        assert values["rows_7d"].to_list() == [counted + 1], time


def test_sums_of_a_tile_that_do_not_fit_int64_are_an_error():
    rows = [plain_row(time=at(days=1), number=2**63 - 1), plain_row(time=at(days=1), number=1)]
    with pytest.raises(InputError, match=r"engine/daily/v1\.number_7d: a sum of integers does not fit Int64"):
        built(Daily, rows)


def test_sums_over_tiles_that_do_not_fit_int64_are_an_error():
    rows = [plain_row(time=at(days=day), number=2**63 - 1, value=1.0) for day in (1, 7)]
    with pytest.raises(InputError, match=r"engine/daily/v1\.number_7d"):
        snapshot(Daily, sort_tiles(Daily, built(Daily, rows)), at(days=8), None)
    with pytest.raises(InputError, match=r"engine/weekly/v1\.sum_number"):
        merge_state(Weekly, None, built(Weekly, rows))


def test_tiles_hold_the_rows_from_the_start_to_just_before_the_end():
    rows = [plain_row(time=time) for time in (START - MICROSECOND, START, END - MICROSECOND, END)]
    tiles = built(Daily, rows)
    assert tiles["tile_start"].to_list() == [START, END - timedelta(hours=12)]
    assert tiles["partition_start"].to_list() == [START, END - timedelta(days=1)]


def test_ties_in_time_go_by_sequence_then_by_value_and_null_is_the_lowest_sequence():
    tied = [(None, 5.0), (None, 4.0), (0, 9.0), (1, 2.0), (1, 3.0), (7, None)]
    rows = [plain_row(time=at(days=1), sequence=sequence, value=value) for sequence, value in tied]
    values = snapshot(Daily, sort_tiles(Daily, built(Daily, rows)), at(days=2), None)
    assert values["first_value"].to_list() == [4.0]
    assert values["last_value"].to_list() == [3.0]


def test_only_views_of_all_history_have_a_state():
    with pytest.raises(InputError, match="has no state"):
        merge_state(Daily, None, built(Daily, []))


def test_std_keeps_its_digits_far_from_zero():
    rows = [plain_row(time=at(days=place % 6), value=1e9 + place % 2) for place in range(600)]
    values = snapshot(Daily, sort_tiles(Daily, built(Daily, rows)), at(days=7), None)
    assert values["std_7d"].item() == pytest.approx(math.sqrt(0.25 * 600 / 599), rel=1e-9)


def test_bounds_off_the_grid_are_refused():
    with pytest.raises(InputError, match="not a bound of its partitions"):
        build_tiles(Daily, frame([], COLUMNS).lazy(), at(hours=1), END)
    with pytest.raises(InputError, match="not a bound of its tiles"):
        snapshot(Hourly, sort_tiles(Hourly, built(Hourly, [])), at(microseconds=1), None)


def test_all_history_needs_its_state():
    with pytest.raises(InputError, match="give the state"):
        snapshot(Weekly, sort_tiles(Weekly, built(Weekly, [])), END, None)


def test_many_events_at_the_same_instants_equal_the_oracle():
    dice = random.Random(7)
    rows = [
        plain_row(
            time=START + timedelta(hours=6) * dice.randrange(14 * 4),
            sequence=dice.choice([None, 0, 1]),
            value=dice.uniform(-100, 100),
            number=dice.randrange(5),
            flag=dice.random() < 0.5,
            text=dice.choice("abc"),
            left=dice.choice("xyz"),
        )
        for _ in range(2000)
    ]
    for view in EVENT_VIEWS:
        tiles = built(view, rows, chunks=3)
        as_of = at(days=14)
        values = snapshot(view, sort_tiles(view, tiles), as_of, history(view, tiles, as_of))
        assert_snapshot(view, values, rows, as_of, oracle.snapshot(view, rows, as_of))


def test_means_of_large_integers_do_not_depend_on_the_order_of_rows_of_one_instant():
    rows = [plain_row(time=at(days=1), number=number) for number in (2**62, 1, -(2**62), 3)]
    first, second = (built(Daily, [rows[place] for place in order]) for order in ((0, 1, 2, 3), (0, 2, 1, 3)))
    assert_frame_equal(first, second, check_exact=True)
