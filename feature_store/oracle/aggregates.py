"""What each aggregation gives for the events that it counts. Sums are exact and rounded once, at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Final, NamedTuple


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
    """Square root of the sample variance."""
    found = variance(values)
    return None if found is None else math.sqrt(found)


def exact_mean(values: Sequence[Any]) -> Fraction:
    """The mean as a fraction."""
    return Fraction(sum(map(Fraction, values)), len(values))


def moment(values: Sequence[Any], power: int) -> Fraction:
    """Sum of the powers of the distances to the mean."""
    center = exact_mean(values)
    return Fraction(sum((Fraction(value) - center) ** power for value in values))


def to_float(exact: Fraction | int) -> float | None:
    """The nearest float; null beyond the largest."""
    try:
        return float(exact)
    except OverflowError:
        return None


VALUES: Final[Mapping[str, Callable[[Sequence[Any]], Any]]] = {
    "count": len,
    "n_unique": lambda values: len(set(values)),
    "sum": exact_sum,
    "mean": mean,
    "std": std,
    "min": min,
    "max": max,
}
"""Aggregations of the values alone; there is at least one."""

EVENTS: Final[Mapping[str, Callable[[Sequence[Event]], Any]]] = {
    "first": lambda events: min(events).value,
    "last": lambda events: max(events).value,
}
"""Aggregations of the values in their order: the smaller event wins a tie for first, the larger for last."""

EMPTY: Final[Mapping[str, Any]] = {"count": 0, "n_unique": 0, "sum": 0}
"""What aggregations give where nothing was counted; the others give null."""


def aggregate(kind: str, events: Sequence[Event]) -> Any:
    """Return the value of an aggregation over the events that it counts."""
    if not events:
        return EMPTY.get(kind)
    if kind in EVENTS:
        return EVENTS[kind](events)
    return VALUES[kind]([event.value for event in events])
