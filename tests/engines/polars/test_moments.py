"""Variance and skewness against exact rational arithmetic, on data chosen to lose digits."""

from __future__ import annotations

import math
from datetime import timedelta
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feature_store import feature_view, skew, std, variance
from feature_store.engines.polars.snapshots import snapshot
from feature_store.engines.polars.sorted_tiles import sort_tiles
from feature_store.engines.polars.tiles import build_tiles
from feature_store.expressions.functions import col
from feature_store.oracle.aggregates import moment
from tests.fixtures.frames import START, at, frame
from tests.fixtures.views import COLUMNS, NUMBER, OPTIONS, PLAIN

END = at(days=28)
ROUNDING = 1e-14
"""Of the standard deviation together with the largest input, the unit in which errors are stated."""


@feature_view(entity=NUMBER, source=PLAIN, cadence="1d", freshness="2d", **OPTIONS)
class Moments:
    """Spread and skewness of floats."""

    variance = variance(col("value"), over="28d", description="d")
    std = std(col("value"), over="28d", description="d")
    skew = skew(col("value"), over="28d", description="d")


def computed(values: list[float]) -> dict[str, float | None]:
    """The values of one entity, whose events are spread over tiles of which some hold one and some many."""
    days = [min(place % 40, 27) for place in range(len(values))]
    rows = [
        {**dict.fromkeys(COLUMNS), "number": 1, "value": value, "time": START + timedelta(days=day, seconds=place)}
        for place, (day, value) in enumerate(zip(days, values, strict=True))
    ]
    tiles = build_tiles(Moments, frame(rows, COLUMNS).lazy(), START, END).frame
    return snapshot(Moments, sort_tiles(Moments, tiles), END, None).row(0, named=True)


def exact_std(values: list[float]) -> float:
    return math.sqrt(moment(values, 2) / (len(values) - 1))


def close_together(offset: float, spread: float) -> st.SearchStrategy[list[float]]:
    # Steps, since cubes of the tiniest floats are 0.
    near = st.integers(-(2**40), 2**40).map(lambda step: offset + spread * step / 2**40)
    return st.lists(near, min_size=2, max_size=120)


WORLDS = st.one_of(
    *(close_together(offset, spread) for offset in (0.0, 1.0, -1e9, 1e15) for spread in (1e-6, 1.0, 1e6)),
    close_together(0.0, 1e30),
    st.lists(st.sampled_from([0.1, 0.1 + 2**-56, 1e8, -1e8]), min_size=2, max_size=60),
)


@given(WORLDS)
@example([1e9 + place % 2 for place in range(120)])
@example([0.1] * 50)
@example([1e15, *[1e15 + 1] * 99])
def test_the_deviation_is_exact_but_for_the_rounding_of_its_inputs(values: list[float]) -> None:
    found, exact = computed(values), exact_std(values)
    error = ROUNDING * (exact + max(map(abs, values)))
    assert found["std"] is not None
    assert found["variance"] is not None
    assert abs(found["std"] - exact) <= error
    # A variance is the square of a deviation that is that exact.
    assert max(exact - error, 0) ** 2 * (1 - 1e-15) <= found["variance"] <= (exact + error) ** 2 * (1 + 1e-15)


@given(WORLDS)
@example([1e9 + (place % 3 == 0) for place in range(120)])
@example([1e15, *[1e15 + 1] * 99])
def test_the_skewness_is_exact_as_far_as_the_deviation_is_known(values: list[float]) -> None:
    found = computed(values)["skew"]
    squares, cubes = moment(values, 2), moment(values, 3)
    if len(values) < 3 or squares == 0:
        assert found is None
        return
    exact = math.copysign(math.sqrt(len(values) * cubes**2 / squares**3), cubes)
    # The part of the deviation that is not known, and with it that of the skewness, which is in its unit.
    lost = ROUNDING * (1 + max(map(abs, values)) / math.sqrt(squares / len(values)))
    assert found is not None
    assert abs(found - exact) <= lost * (1 + abs(exact)) * math.sqrt(len(values))


@pytest.mark.parametrize("values", [[5.0], [0.1] * 7, [1e300, 1e300]])
def test_the_skewness_of_too_few_or_equal_values_is_null(values: list[float]) -> None:
    assert computed(values)["skew"] is None


def test_moments_of_one_tile_and_of_many_agree() -> None:
    values = [1e6 + 0.001 * place**1.5 for place in range(200)]
    rows = [{**dict.fromkeys(COLUMNS), "number": 1, "value": value} for value in values]
    spread = [row | {"time": START + timedelta(hours=3) * place} for place, row in enumerate(rows)]
    together = [row | {"time": START + timedelta(seconds=place)} for place, row in enumerate(rows)]
    frames = [build_tiles(Moments, frame(each, COLUMNS).lazy(), START, END).frame for each in (spread, together)]
    assert [each.height for each in frames] == [25, 1]
    found = pl.concat([snapshot(Moments, sort_tiles(Moments, each), END, None) for each in frames])
    exact = math.sqrt(len(values) * moment(values, 3) ** 2 / Fraction(moment(values, 2)) ** 3)
    assert found["skew"].to_list() == pytest.approx([exact] * 2, rel=1e-7)
