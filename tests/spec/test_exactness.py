"""Floats against exact rational arithmetic, on data that is bad for them: within 1e-9 x the sum of absolute inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from random import Random

import numpy as np
import polars as pl
import pytest

from feature_store import (
    FeatureView,
    col,
    count,
    decayed_sum,
    derive,
    feature_view,
    mean,
    skew,
    std,
    stream_view,
    sum_,
    variance,
)
from feature_store.codec.stream_tiles import StreamTiles
from feature_store.engines.numpy.stream_merge import merge
from feature_store.engines.polars.snapshots import merge_state, snapshot
from feature_store.engines.polars.sorted_tiles import sort_tiles
from feature_store.engines.polars.stream_tiles import build_stream_tiles, tile_states
from feature_store.engines.polars.tiles import build_tiles
from feature_store.errors import InputError
from feature_store.plans.compile_stream import compile_stream_plan
from feature_store.status import Status
from feature_store.temporal.instants import to_microseconds
from tests.spec import runners
from tests.spec.declarations import EVENTS, OPTIONS, START, at
from tests.spec.examples import END, row
from tests.spec.paths_of_rules import SNAPSHOT_PATHS
from tests.spec.worlds import Range, frame_of

AS_OF = at(7)
HALF_LIFE = timedelta(hours=31)
WEEK = {"over": "7d", "hop": "1d", "description": "d"}
EVER = {"description": "d"}


def body(name: str, options: dict) -> type:
    features = {
        "total": sum_(col("value"), **options),
        "average": mean(col("value"), **options),
        "spread": std(col("value"), **options),
        "squared": variance(col("value"), **options),
        "lean": skew(col("value"), **options),
        "faded": decayed_sum(col("value"), half_life="31h", **options),
    }
    return type(name, (), {"__doc__": "Every float aggregate.", **features})


WINDOWED = feature_view(source=EVENTS, cadence="1d", freshness="2d", **OPTIONS)(body("Windowed", WEEK))
RUNNING = feature_view(source=EVENTS, cadence="1d", freshness="2d", **OPTIONS)(body("Running", EVER))
STREAMED = stream_view(source=EVENTS, cadence="1d", batch_after="0s", available_after="0s", freshness="1m", **OPTIONS)(
    body("Streamed", WEEK)
)


def alternating(rng: Random) -> list[float]:
    return [rng.choice([1e16, -1e16, 1.0, 0.1]) for _ in range(500)]


def cancelling(rng: Random) -> list[float]:
    large = [rng.uniform(1e14, 1e15) for _ in range(250)]
    values = [*large, *(-value for value in large), 0.1]
    rng.shuffle(values)
    return values


DATA: dict[str, Callable[[Random], list[float]]] = {
    "large ones that cancel": cancelling,
    "large and small ones": alternating,
    "far from zero": lambda rng: [1e9 + rng.random() for _ in range(500)],
    "equal but for the last digit": lambda rng: [0.1 + rng.choice([0.0, 2**-56]) for _ in range(500)],
    "equal": lambda _rng: [0.1] * 500,
    "one among many": lambda _rng: [*[1.0] * 499, 1e12],
    "of every size": lambda rng: [rng.choice([-1, 1]) * 10 ** rng.uniform(-30, 30) for _ in range(500)],
    "growing": lambda _rng: [1.1**place for place in range(500)],
}


def events(values: Sequence[float], rng: Random) -> list[dict]:
    """Give the values instants anywhere in a week, many of them shared."""
    return [row(START + timedelta(minutes=rng.randrange(7 * 24 * 60)), world=1, value=value) for value in values]


def of_tiles(rows: list[dict]) -> dict[str, float]:
    tiles = build_tiles(WINDOWED, frame_of(WINDOWED, rows).lazy(), START, AS_OF).frame
    return snapshot(WINDOWED, sort_tiles(WINDOWED, tiles), AS_OF, None).to_dicts()[0]


def of_running_state(rows: list[dict]) -> dict[str, float]:
    tiles = build_tiles(RUNNING, frame_of(RUNNING, rows).lazy(), START, AS_OF).frame
    state = None
    for part in range(3):
        state = merge_state(RUNNING, state, tiles.filter(pl.int_range(pl.len()) % 3 == part))
    return snapshot(RUNNING, sort_tiles(RUNNING, tiles), AS_OF, state).to_dicts()[0]


def of_stream(rows: list[dict]) -> dict[str, float]:
    plan = compile_stream_plan(STREAMED, list(STREAMED.fingerprints))
    frame = build_stream_tiles(STREAMED, frame_of(STREAMED, rows).lazy(), START, at(8)).frame
    tiles = StreamTiles(
        np.zeros(frame.height, np.int64),
        frame["span"].to_numpy(),
        frame["tile_start"].to_physical().to_numpy(),
        tile_states(frame, plan.states),
    )
    merged = merge(plan, tiles, np.array([to_microseconds(AS_OF)]))
    return {name: column.values[0] if column.valid[0] else None for name, column in merged.values.items()}


def exact_values(rows: list[dict]) -> dict[str, Fraction | None]:
    values = [Fraction(event["value"]) for event in rows]
    n, center = len(values), sum(values) / Fraction(len(values))
    squares, cubes = (sum((value - center) ** power for value in values) for power in (2, 3))
    return {
        "total": sum(values),
        "average": center,
        "spread": root(squares / (n - 1)),
        "squared": squares / (n - 1),
        "lean": None if squares == 0 else root(n * cubes**2 / squares**3) * (1 if cubes >= 0 else -1),
        "faded": sum(Fraction(event["value"]) * faded(AS_OF - event["time"]) for event in rows),
    }


def root(value: Fraction) -> Fraction:
    with localcontext(prec=60):
        return Fraction((Decimal(value.numerator) / Decimal(value.denominator)).sqrt())


def faded(age: timedelta) -> Fraction:
    with localcontext(prec=60):
        ratio = Decimal(age // timedelta(microseconds=1)) / Decimal(HALF_LIFE // timedelta(microseconds=1))
        return Fraction(Decimal(2) ** -ratio)


def bounds(rows: list[dict], exact: dict[str, Fraction | None]) -> dict[str, Fraction]:
    """Return the stated bound of each aggregate: see ``feature_store.oracle.snapshots.float_scale``."""
    values = [Fraction(event["value"]) for event in rows]
    scale = sum(map(abs, values)) / Fraction(10**9)
    squared = sum(value**2 for value in values) / Fraction(10**9)
    lean, spread = exact["lean"], exact["spread"]
    deviations = scale / spread if spread else Fraction(0)
    return {
        "total": scale,
        "average": scale,
        "spread": scale,
        "squared": squared,
        "lean": (1 + abs(lean)) * deviations if lean is not None else Fraction(0),
        "faded": scale,
    }


@pytest.mark.spec("tiles", "value.sum", "value.skew", "value.spread", "value.decay")
@pytest.mark.parametrize("path", [of_tiles, of_running_state, of_stream], ids=lambda path: path.__name__)
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("seed", range(3))
def test_floats_are_within_their_bounds_of_the_exact_value(
    name: str, seed: int, path: Callable[[list[dict]], dict[str, float]]
) -> None:
    rng = Random(seed)
    rows = events(DATA[name](rng), rng)
    exact, found = exact_values(rows), path(rows)
    for feature, bound in bounds(rows, exact).items():
        wanted, value = exact[feature], found[feature]
        assert (value is None) == (wanted is None), feature
        if wanted is not None:
            error = abs(Fraction(value) - wanted)
            assert error <= bound, f"{feature}: {value} is {float(error)} off, more than {float(bound)}"


def test_a_sum_does_not_depend_on_the_order_of_its_events() -> None:
    rng = Random(5)
    rows = events(alternating(rng), rng)
    first = of_tiles(rows)
    for _ in range(5):
        rng.shuffle(rows)
        assert of_tiles(rows) == first


def sums(name: str, options: dict) -> FeatureView:
    body = {"__doc__": "A sum of integers.", "total": sum_(col("number"), **options)}
    return feature_view(source=EVENTS, cadence="1d", freshness="2d", **OPTIONS)(type(name, (), body))


SUMS, EVER_SUMS = sums("Sums", WEEK), sums("EverSums", EVER)


@stream_view(source=EVENTS, cadence="1d", batch_after="1h", available_after="0s", freshness="1m", **OPTIONS)
class LiveSums:
    """A sum of integers, and what does not need it."""

    rows = count(**WEEK)
    total = sum_(col("number"), **WEEK)
    double = derive(col("total") * 2, description="d")


LARGE: dict[str, list[int]] = {"one tile": [2**62, 2**62], "two tiles": [2**62, 2**62], "negative": [-(2**63), -1]}
"""Integers of which each fits and the sum does not; in the second case a day apart."""


def large(case: str) -> list[dict]:
    apart = timedelta(days=case == "two tiles")
    rows = [row(at(7) + apart * place, number=number, world=0) for place, number in enumerate(LARGE[case])]
    return [*rows, row(at(7), number=2**63 - 1, world=1), row(at(7), number=-1, world=1), row(at(7), number=1, world=1)]


@pytest.mark.spec("tiles", "value.sum")
@pytest.mark.parametrize("view", [SUMS, EVER_SUMS], ids=lambda view: view.name)
@pytest.mark.parametrize("case", LARGE)
def test_a_sum_that_does_not_fit_is_an_error(case: str, view: FeatureView) -> None:
    span = Range(view, START, START, END)
    assert runners.tiles(span, large(case)[2:])[1]["total"] == 2**63 - 1
    with pytest.raises(InputError, match=r"total.*: a sum of integers does not fit Int64\."):
        runners.tiles(span, large(case))


@pytest.mark.spec("one run", "value.sum")
@pytest.mark.spec("chunks", "value.sum")
@pytest.mark.spec("partition by partition", "value.sum")
@pytest.mark.spec("Spark tasks", "value.sum")
@pytest.mark.parametrize("path", SNAPSHOT_PATHS)
@pytest.mark.parametrize("case", LARGE)
def test_a_snapshot_with_a_sum_that_does_not_fit_is_not_written(case: str, path: str) -> None:
    with pytest.raises(InputError, match=r"total.*: a sum of integers does not fit Int64\."):
        runners.stored(Range(SUMS, START, START, END), large(case), runners.BACKFILLS[path])


@pytest.mark.spec("stream offline", "value.sum")
@pytest.mark.spec("stream online", "value.sum")
@pytest.mark.parametrize("path", ["stream offline", "stream online"])
def test_a_stream_lacks_a_sum_that_does_not_fit_and_nothing_else(path: str, valkey_server: str) -> None:
    asked = (Range(LiveSums, START, START, END), large("two tiles"), 2, [at(9)])
    found = runners.stream_trained(*asked) if path == "stream offline" else runners.stream_served(valkey_server, *asked)
    too_large, fits = found[at(9)][0], found[at(9)][1]
    assert [(too_large[name], too_large[f"{name}__status"]) for name in ("rows", "total", "double")] == [
        (2, Status.PRESENT),
        (None, Status.NOT_COMPUTED),
        (None, Status.NOT_COMPUTED),
    ]
    assert (fits["total"], fits["total__status"]) == (2**63 - 1, Status.PRESENT)
