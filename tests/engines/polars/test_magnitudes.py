"""Engines and the oracle agree on values of every magnitude, from the smallest double to the largest."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feature_assets.parity.engine import check_engine
from feature_store import (
    FeatureView,
    approx_n_unique,
    approx_percentile,
    col,
    count,
    count_ratio,
    decayed_sum,
    feature_view,
    first,
    first_k,
    last,
    last_k,
    max_,
    mean,
    min_,
    n_unique,
    skew,
    std,
    stream_view,
    sum_,
    top_k,
    variance,
)
from feature_store.model.kinds import KINDS
from feature_store.oracle.snapshots import snapshot
from tests.fixtures.frames import START
from tests.fixtures.stream_views import PLAIN_LIVE
from tests.fixtures.views import NUMBER, PLAIN

VALUE = col("value")
LARGEST = sys.float_info.max
OPTIONS = {"entity": NUMBER, "namespace": "engine", "version": 1, "owner": "engine"}


def features(*, streams: bool, **options: Any) -> dict[str, Any]:
    options = {**options, "description": "d"}
    found = {
        "count": count(VALUE, **options),
        "sum": sum_(VALUE, **options),
        "mean": mean(VALUE, **options),
        "std": std(VALUE, **options),
        "variance": variance(VALUE, **options),
        "skew": skew(VALUE, **options),
        "min": min_(VALUE, **options),
        "max": max_(VALUE, **options),
        "first": first(VALUE, **options),
        "last": last(VALUE, **options),
        "decayed_sum": decayed_sum(VALUE, "1h", **options),
        "approx_n_unique": approx_n_unique(VALUE, **options),
        "count_ratio": count_ratio(VALUE > 0, VALUE != 0, **options),
    }
    if not streams:
        found |= {
            "n_unique": n_unique(VALUE, **options),
            "approx_percentile": approx_percentile(VALUE, 0.5, **options),
            "first_k": first_k(VALUE, 3, **options),
            "last_k": last_k(VALUE, 3, **options),
            "top_k": top_k(VALUE, 3, **options),
        }
    return found


def body(name: str, features: dict[str, Any]) -> type:
    return type(name, (), {"__doc__": "Every aggregate of floats.", **features})


VIEWS: dict[str, FeatureView] = {
    "windows": feature_view(source=PLAIN, cadence="1d", freshness="2d", **OPTIONS)(
        body("Windows", features(streams=False, over="2d", hop="6h"))
    ),
    "all history": feature_view(source=PLAIN, cadence="1d", freshness="2d", **OPTIONS)(
        body("History", features(streams=False))
    ),
    "streams": stream_view(
        source=PLAIN_LIVE, cadence="1d", batch_after="0s", available_after="0s", freshness="1m", **OPTIONS
    )(body("Streams", features(streams=True, over="36h", hop="6h"))),
}
AT = START + timedelta(days=2)


def row(time: datetime, value: float | None) -> dict[str, Any]:
    others = dict.fromkeys(PLAIN.columns)
    return {**others, "number": 1, "time": time, "value": value}


def rows_of(values: list[float]) -> list[dict[str, Any]]:
    """Give values instants in both days, so that tiles hold one or several of them."""
    return [
        row(START + timedelta(hours=13 + 5 * (place % 7), minutes=place), each) for place, each in enumerate(values)
    ]


@st.composite
def magnitudes(draw: st.DrawFn) -> list[float]:
    """Values around one magnitude, or around several."""
    exponents = st.integers(-1074, 1023)
    around = draw(exponents)
    near = st.integers(max(-1074, around - 3), min(1023, around + 3))
    mantissas = st.floats(-1.999, 1.999, allow_subnormal=False)
    pairs = st.tuples(mantissas, st.one_of(near, near, exponents))
    numbers = [mantissa * 2.0**exponent for mantissa, exponent in draw(st.lists(pairs, min_size=1, max_size=9))]
    return [min(max(number, -LARGEST), LARGEST) for number in numbers]


def test_every_aggregation_is_tried() -> None:
    tried = {feature.aggregation.kind for feature in VIEWS["windows"] if feature.aggregation is not None}
    assert tried == set(KINDS)
    streamed = {feature.aggregation.kind for feature in VIEWS["streams"] if feature.aggregation is not None}
    assert streamed == {name for name, kind in KINDS.items() if kind.streams}


@pytest.mark.parametrize("name", VIEWS)
@given(values=magnitudes())
@example([1e103, 1e103, 2.5e102])
@example([1e104, 1e104, 2.5e103])
@example([-1e103, 0.0, 1e103])
@example([1e-110, 1e-110, 2.5e-111])
@example([1e-160, 3e-160, 9e-160])
@example([1e154, 1e155, 3e154])
@example([LARGEST])
@example([LARGEST, LARGEST])
@example([LARGEST, LARGEST, -LARGEST])
@example([LARGEST, -LARGEST] * 4)
@example([2.0**960] * 9)
@example([2.0**480, -(2.0**480), 0.0])
@example([0.0, 0.0, 0.0, 6e144])
@example([0.0, 0.0, 0.0, 3e96])
@example([2.0**320, -(2.0**320), 0.0, 1.0])
@example([5e-324, 1e-323, 5e-324])
@example([2.2250738585072014e-308, 1e-308, 3e-308])
@settings(max_examples=60)
def test_engine_and_oracle_agree(name: str, values: list[float]) -> None:
    parity = check_engine(VIEWS[name], rows_of(values), [AT])
    assert not parity.different, str(parity)


@pytest.mark.parametrize("name", ["windows", "all history"])
@pytest.mark.parametrize("power", [1, 2, 3])
def test_sums_of_powers_are_null_just_above_their_largest_input(name: str, power: int) -> None:
    kind = {1: "sum", 2: "variance", 3: "skew"}[power]
    largest = 2.0 ** (960 / power)
    for value, is_null in ((largest, False), (largest * (1 + 2**-52), True)):
        rows = rows_of([value, -value, value / 2])
        (found,) = snapshot(VIEWS[name], rows, AT).values()
        assert (found[kind] is None) is is_null
        assert not check_engine(VIEWS[name], rows, [AT]).different
