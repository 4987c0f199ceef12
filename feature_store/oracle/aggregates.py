"""What each aggregation gives for the events that it counts. Sums are exact and rounded once, at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final, NamedTuple

from feature_store.aggregations import Aggregation


class Event(NamedTuple):
    """A counted event with a value; events sort by time, then by sequence (null first), then by value."""

    time: datetime
    sequence: tuple[bool, Any]
    value: Any


def exact_sum(values: Sequence[Any]) -> Any:
    """Sum of integers: an integer. Sum of floats: the float nearest to the exact sum; null beyond the largest float."""
    return to_float(sum(map(Fraction, values))) if isinstance(values[0], float) else sum(values)


def mean(values: Sequence[Any]) -> float | None:
    """Arithmetic mean."""
    return to_float(exact_mean(values))


def variance(values: Sequence[Any]) -> float | None:
    """Sample variance (ddof=1); null for one value."""
    return to_float(moment(values, 2) / (len(values) - 1)) if len(values) > 1 else None


def std(values: Sequence[Any]) -> float | None:
    """Square root of the sample variance; null for one value."""
    found = variance(values)
    return None if found is None else math.sqrt(found)


def skew(values: Sequence[Any]) -> float | None:
    """Biased skewness, sqrt(n) * M3 / M2^1.5; null for fewer than three values, and for equal ones."""
    squares, cubes = moment(values, 2), moment(values, 3)
    if len(values) < 3 or squares == 0:
        return None
    unsigned = math.sqrt(len(values) * cubes**2 / squares**3)
    return math.copysign(unsigned, cubes)


def exact_mean(values: Sequence[Any]) -> Fraction:
    """The mean as a fraction; integers are read as Float64, as in all moments."""
    return Fraction(sum(Fraction(float(value)) for value in values), len(values))


def moment(values: Sequence[Any], power: int) -> Fraction:
    """Sum of the powers of the distances to the mean."""
    center = exact_mean(values)
    return Fraction(sum((Fraction(float(value)) - center) ** power for value in values))


def to_float(exact: Fraction | int) -> float | None:
    """The nearest float; null beyond the largest."""
    try:
        return float(exact)
    except OverflowError:
        return None


def percentile(values: Sequence[Any], q: float) -> float:
    """The value at place floor(q * (n - 1)) of the sorted ones; approximations of it are within 1% of the value."""
    return float(sorted(values)[math.floor(q * (len(values) - 1))])


def decayed_sum(events: Sequence[Event], half_life: int, as_of: datetime) -> float:
    """Every value counts half of what it counted one half-life before."""
    ages = [(as_of - event.time) / timedelta(microseconds=half_life) for event in events]
    return math.fsum(event.value * 2.0**-age for event, age in zip(events, ages, strict=True))


def count_ratio(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Rows that pass the numerator / rows that pass the denominator; x/0 is null."""
    over, under = (sum(passes) for passes in zip(*pairs, strict=True))
    return over / under if under else None


def padded(values: Sequence[Any], k: int) -> list[Any]:
    """The first k values, and null where there are fewer."""
    return [*values[:k], *[None] * (k - len(values))]


OF_VALUES: Final[Mapping[str, Callable[[Sequence[Any]], Any]]] = {
    "count": len,
    "n_unique": lambda values: len(set(values)),
    "approx_n_unique": lambda values: len(set(values)),  # approximations are exact up to 4,096 distinct values
    "sum": exact_sum,
    "mean": mean,
    "variance": variance,
    "std": std,
    "skew": skew,
    "min": min,
    "max": max,
    "count_ratio": count_ratio,
}
"""Aggregations of the values alone; there is at least one."""

OF_EVENTS: Final[Mapping[str, Callable[[Sequence[Event], Aggregation, datetime], Any]]] = {
    "first": lambda events, _by, _as_of: min(events).value,
    "last": lambda events, _by, _as_of: max(events).value,
    "first_k": lambda events, by, _as_of: padded([event.value for event in sorted(events)], by.k or 0),
    "last_k": lambda events, by, _as_of: padded([event.value for event in sorted(events, reverse=True)], by.k or 0),
    "top_k": lambda events, by, _as_of: padded(sorted((event.value for event in events), reverse=True), by.k or 0),
    "approx_percentile": lambda events, by, _as_of: percentile([event.value for event in events], by.q or 0.0),
    "decayed_sum": lambda events, by, as_of: decayed_sum(events, by.half_life or 0, as_of),
}
"""Aggregations that look at the order of events or have a parameter; the smaller event wins a tie for the first."""

EMPTY: Final[Mapping[str, Any]] = {"count": 0, "n_unique": 0, "approx_n_unique": 0, "sum": 0, "decayed_sum": 0.0}
"""What aggregations give where nothing was counted; the others give null."""


def aggregate(aggregation: Aggregation, events: Sequence[Event], as_of: datetime) -> Any:
    """Return the value of an aggregation over the events that it counts."""
    if not events:
        return EMPTY.get(aggregation.kind)
    if aggregation.kind in OF_EVENTS:
        return OF_EVENTS[aggregation.kind](events, aggregation, as_of)
    return OF_VALUES[aggregation.kind]([event.value for event in events])
