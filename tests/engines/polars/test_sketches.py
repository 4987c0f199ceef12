"""Sketches: their stated errors on skewed data, and bytes that depend on the values alone."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from datasketches import compact_theta_sketch, update_theta_sketch
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_store import FeatureView, approx_median, approx_n_unique, approx_percentile, feature_view
from feature_store.engines.polars.snapshots import merge_state, snapshot
from feature_store.engines.polars.sorted_tiles import sort_tiles
from feature_store.engines.polars.tiles import build_tiles
from feature_store.expressions.functions import col
from feature_store.sketches.ddsketch import ALPHA, bins_of, values_of
from feature_store.sketches.theta import Thetas, union
from tests.fixtures.frames import START, at
from tests.fixtures.views import COLUMNS, NUMBER, OPTIONS, PLAIN

END = at(days=28)
ROWS = 200_000
QS = (0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0)


def percentiles_of(column: str, **options: Any) -> dict[str, Any]:
    return {f"p{place}": approx_percentile(col(column), q, description="d", **options) for place, q in enumerate(QS)}


def declare(name: str, features: dict[str, Any]) -> FeatureView:
    body = type(name, (), {"__doc__": "Sketches.", **features})
    return feature_view(entity=NUMBER, source=PLAIN, cadence="1d", freshness="2d", **OPTIONS)(body)


OVER = {"over": "28d"}
Windowed = declare(
    "Windowed",
    {
        **percentiles_of("value", **OVER),
        "distinct": approx_n_unique(col("value"), description="d", **OVER),
        "texts": approx_n_unique(col("text"), description="d", **OVER),
        "moments": approx_n_unique(col("moment"), description="d", **OVER),
        "flags": approx_n_unique(col("flag"), description="d", **OVER),
    },
)
AllHistory = declare(
    "AllHistory",
    {"median": approx_median(col("value"), description="d"), "texts": approx_n_unique(col("text"), description="d")},
)


def rows_of(values: np.ndarray, seed: int = 1) -> pl.DataFrame:
    """Rows of one entity at random times, with text and moments that are as distinct as the values."""
    dice = np.random.default_rng(seed)
    micros = dice.integers(0, 28 * 86_400_000_000, len(values)) + int(START.timestamp() * 1e6)
    frame = pl.DataFrame({"time": micros, "value": values, "number": np.ones(len(values), np.int64)})
    return frame.with_columns(
        pl.col("time").cast(pl.Datetime("us", "UTC")),
        pl.col("value").cast(pl.String).alias("text"),
        pl.from_epoch((pl.col("value").rank("dense")).cast(pl.Int64), time_unit="us")
        .dt.replace_time_zone("UTC")
        .alias("moment"),
        (pl.col("value") > 1).alias("flag"),
        pl.lit(None, pl.Int64).alias("sequence"),
        pl.lit(None, pl.Float32).alias("narrow"),
        *(pl.lit(None, pl.String).alias(name) for name in ("left", "right")),
    ).select(*COLUMNS)


def built(view: FeatureView, rows: pl.DataFrame, start: datetime = START, end: datetime = END) -> pl.DataFrame:
    return build_tiles(view, rows.lazy(), start, end).frame


def skewed() -> dict[str, np.ndarray]:
    dice = np.random.default_rng(2024)
    zipf = dice.zipf(1.3, ROWS).astype(np.float64)
    lognormal = dice.lognormal(0, 4, ROWS)
    return {
        "zipf": zipf,
        "lognormal": lognormal,
        "both signs": lognormal * dice.choice([-1.0, 1.0], ROWS),
        "mostly zero": np.where(dice.random(ROWS) < 0.9, 0.0, lognormal),
        "cents": np.round(dice.lognormal(1, 1, ROWS), 2),
    }


DATA = skewed()


@pytest.mark.parametrize("name", DATA)
def test_percentiles_and_distinct_counts_keep_their_bounds_on_skewed_data(name: str) -> None:
    values = DATA[name]
    found = snapshot(Windowed, sort_tiles(Windowed, built(Windowed, rows_of(values))), END, None).row(0, named=True)
    in_order = np.sort(values)
    for place, q in enumerate(QS):
        exact = in_order[math.floor(q * (len(values) - 1))]
        assert abs(found[f"p{place}"] - exact) <= ALPHA * abs(exact) * (1 + 1e-9), (name, q)
    distinct = len(np.unique(values))
    # Four standard errors of a sketch of 4096 hashes; exact where there are no more values than that.
    error = 0 if distinct <= 4096 else 4 * distinct / math.sqrt(4096)
    for feature in ("distinct", "texts", "moments"):
        assert abs(found[feature] - distinct) <= error, (name, feature)
    assert found["flags"] == len(np.unique(values > 1))


@pytest.mark.parametrize("count", [4095, 4096, 4097])
def test_distinct_values_are_counted_exactly_up_to_4096(count: int) -> None:
    values = np.tile(np.arange(count, dtype=np.float64), 3)
    found = snapshot(Windowed, sort_tiles(Windowed, built(Windowed, rows_of(values))), END, None).row(0, named=True)
    assert all((found[name] == count) == (count <= 4096) for name in ("distinct", "texts", "moments"))
    assert found["distinct"] == pytest.approx(count, rel=0.05)


def test_sketches_do_not_depend_on_order_chunks_or_portions() -> None:
    rows = rows_of(DATA["lognormal"][:40_000])
    shuffled = rows.sample(fraction=1, shuffle=True, seed=5)
    chunked = pl.concat([shuffled[:7], shuffled[7:20_001], shuffled[20_001:]], rechunk=False)
    for view in (Windowed, AllHistory):
        tiles = built(view, rows)
        assert_frame_equal(built(view, chunked), tiles, check_exact=True)
    tiles = built(AllHistory, rows)
    whole = merge_state(AllHistory, None, tiles)
    days = [START + timedelta(days=day) for day in range(28)]
    random.Random(3).shuffle(days)
    state = None
    for day in days:
        state = merge_state(AllHistory, state, tiles.filter(pl.col("tile_start") == day))
    assert_frame_equal(state, whole, check_exact=True)


def test_a_merged_sketch_has_the_bytes_that_the_library_gives_for_all_values_at_once() -> None:
    rows = rows_of(DATA["zipf"])
    state = merge_state(AllHistory, None, built(AllHistory, rows))
    (column,) = (name for name in state.columns if name.startswith("theta_"))
    sketch = update_theta_sketch(12)
    for text in rows["text"].sample(fraction=1, shuffle=True, seed=9):
        sketch.update(text)
    sketch.trim()
    stored = state[column].item()
    assert stored == sketch.compact().serialize()
    read = compact_theta_sketch.deserialize(stored)
    found = snapshot(AllHistory, sort_tiles(AllHistory, built(AllHistory, rows)), END, state)["texts"].item()
    assert found == round(read.get_estimate())


@given(st.lists(st.lists(st.sets(st.integers(1, 9), min_size=1), min_size=1, max_size=3), max_size=5))
def test_hashes_that_are_alike_in_all_but_their_last_bits_merge_exactly(merged: list[list[set[int]]]) -> None:
    sketches = [sorted(sketch) for row in merged for sketch in row]
    row = np.repeat(np.arange(len(merged)), [len(row) for row in merged])
    counts = np.array([len(sketch) for sketch in sketches], np.int64)
    hashes = np.array([value for sketch in sketches for value in sketch], np.int64)
    found = union(Thetas(np.full(len(sketches), 2**63 - 1), counts, hashes), row)
    expected = [sorted(set().union(*row)) for row in merged]
    assert found.hashes.tolist() == [value for row in expected for value in row]
    assert found.counts.tolist() == [len(row) for row in expected]


def test_the_empty_string_is_a_value() -> None:
    texts = ["", "", "a", None]
    rows = rows_of(np.arange(4.0)).with_columns(pl.Series("text", texts))
    assert snapshot(Windowed, sort_tiles(Windowed, built(Windowed, rows)), END, None)["texts"].item() == 2


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(5e-324)
@example(-1.7976931348623157e308)
@example(0.0)
def test_every_float_is_known_to_one_percent(value: float) -> None:
    found = values_of(bins_of(np.array([value])))[0]
    # The tiniest floats lie further apart than 1 %: there the nearest one is as good as it gets.
    assert abs(found - value) <= ALPHA * abs(value) * (1 + 1e-9) + 5e-324


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2))
def test_larger_floats_never_have_smaller_bins(values: list[float]) -> None:
    assert (np.diff(bins_of(np.sort(np.array(values)))) >= 0).all()
