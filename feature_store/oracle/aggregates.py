"""Aggregations: the value of each for the events that it counts. Sums are exact and rounded once, at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final, NamedTuple

from feature_store.model.aggregations import Aggregation


class Event(NamedTuple):
    """A counted event with a value; events sort by time, then by sequence (null first), then by value."""

    time: datetime
    sequence: tuple[bool, Any]
    value: Any


def is_beyond(values: Sequence[Any], power: int) -> bool:
    """Whether an input is too large to be added up: a float whose power is more than 2^960.

    A sum of many of them would leave Float64; so there is no sum or mean (power 1), variance (2) or skewness (3).
    """
    return any(abs(float(value)) > 2.0 ** (960 / power) for value in values)


def exact_sum(values: Sequence[Any]) -> Any:
    """Sum of integers: exact, an error beyond Int64. Of floats: the float nearest to the exact sum."""
    if isinstance(values[0], float):
        return None if is_beyond(values, 1) else to_float(sum(map(Fraction, values)))
    total = sum(values)
    if not -(2**63) <= total < 2**63:
        raise OverflowError("a sum of integers does not fit Int64")
    return total


def mean(values: Sequence[Any]) -> float | None:
    """Arithmetic mean."""
    return None if is_beyond(values, 1) else to_float(exact_mean(values))


def variance(values: Sequence[Any]) -> float | None:
    """Sample variance (ddof=1); null for one value."""
    if len(values) < 2 or is_beyond(values, 2):
        return None
    return to_float(moment(values, 2) / (len(values) - 1))


def std(values: Sequence[Any]) -> float | None:
    """Square root of the sample variance; null for one value."""
    found = variance(values)
    return None if found is None else math.sqrt(found)


def skew(values: Sequence[Any]) -> float | None:
    """Biased skewness, sqrt(n) * M3 / M2^1.5; null for fewer than three values, and for ones less than 2^-320 apart."""
    if len(values) < 3 or is_beyond(values, 3) or float(max(values)) - float(min(values)) < 2.0**-320:
        return None
    squares, cubes = moment(values, 2), moment(values, 3)
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


def decayed_sum(events: Sequence[Event], half_life: int, as_of: datetime) -> float | None:
    """Every value counts half of what it counted one half-life before."""
    if is_beyond([event.value for event in events], 1):
        return None
    ages = [(as_of - event.time) / timedelta(microseconds=half_life) for event in events]
    return math.fsum(event.value * 2.0**-age for event, age in zip(events, ages, strict=True))


def count_ratio(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Rows that pass the numerator / rows that pass the denominator; x/0 is null."""
    over, under = (sum(passes) for passes in zip(*pairs, strict=True))
    return over / under if under else None


def padded(values: Sequence[Any], k: int) -> list[Any]:
    """Up to k values, and null where there are fewer."""
    return [*values, *[None] * (k - len(values))]


OF_VALUES: Final[Mapping[str, Callable[[Sequence[Any]], Any]]] = {
    "count": len,
    "n_unique": lambda values: len(set(values)),
    "approx_n_unique": lambda values: len(set(values)),  # approximations are exact up to 4,096 distinct values
    "sum": exact_sum,
    "mean": mean,
    "variance": variance,
    "std": std,
    "skew": skew,
    "count_ratio": count_ratio,
}
"""Aggregations of the values alone; there is at least one."""

WITH_OPTIONS: Final[Mapping[str, Callable[[Sequence[Event], Aggregation, datetime], Any]]] = {
    "approx_percentile": lambda events, its, _as_of: percentile([event.value for event in events], its.q or 0.0),
    "decayed_sum": lambda events, its, as_of: decayed_sum(events, its.half_life or 0, as_of),
}
"""Aggregations that options of their own, or the as-of, decide."""

CHOSEN: Final[Mapping[str, Callable[[Sequence[Event], int | None], list[Event]]]] = {
    "min": lambda events, _k: [min(events, key=lambda event: event.value)],
    "max": lambda events, _k: [max(events, key=lambda event: event.value)],
    "first": lambda events, _k: [min(events)],
    "last": lambda events, _k: [max(events)],
    "first_k": lambda events, k: sorted(events)[:k],
    "last_k": lambda events, k: sorted(events, reverse=True)[:k],
    "top_k": lambda events, k: sorted(events, key=lambda event: event.value, reverse=True)[:k],
}
"""Aggregations that choose events, whose values are the result; of a tie the first takes the smaller event."""

EMPTY: Final[Mapping[str, Any]] = {"count": 0, "n_unique": 0, "approx_n_unique": 0, "sum": 0, "decayed_sum": 0.0}
"""The value of aggregations where nothing was counted; the others give null."""


def aggregate(aggregation: Aggregation, events: Sequence[Event], as_of: datetime) -> Any:
    """Return the value of an aggregation over the events that it counts."""
    kind, values = aggregation.kind, [event.value for event in events]
    if not events:
        return EMPTY.get(kind)
    if kind in CHOSEN:
        chosen = [event.value for event in CHOSEN[kind](events, aggregation.k)]
        return chosen[0] if aggregation.k is None else padded(chosen, aggregation.k)
    if kind in WITH_OPTIONS:
        return WITH_OPTIONS[kind](events, aggregation, as_of)
    return OF_VALUES[kind](values)
