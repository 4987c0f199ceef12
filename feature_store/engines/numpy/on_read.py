"""On-read features: computed from stored values and the request's T, by this one code online and offline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from feature_store.columns import Array, Column
from feature_store.temporal.durations import DAY, HOUR


def days_since(stored: Column, time: Array) -> Column:
    """Return the Float64 days from a stored timestamp to T; null where the timestamp is null.

    >>> days_since(Column(np.array([0]), np.array([True])), np.array([36 * HOUR])).values.tolist()
    [1.5]
    """
    return Column((time - stored.values) / DAY, stored.valid)


def hour_of_day(stored: Column, _time: Array) -> Column:
    """Return the UTC hour, 0 to 23, of a timestamp."""
    return Column(stored.values // HOUR % 24, stored.valid)


def day_of_week(stored: Column, _time: Array) -> Column:
    """Return the UTC day of the week of a timestamp, Monday being 0 (1970-01-01 was a Thursday).

    >>> day_of_week(Column(np.array([0]), np.array([True])), np.array([0])).values.tolist()
    [3]
    """
    return Column((stored.values // DAY + 3) % 7, stored.valid)


_FUNCTIONS: Final[Mapping[str, Callable[[Column, Array], Column]]] = {
    "days_since": days_since,
    "hour_of_day": hour_of_day,
    "day_of_week": day_of_week,
}


def compute_on_read(function: str, stored: Column | None, time: Array) -> Column:
    """Compute one on-read feature.

    Args:
        function: ``days_since``, ``hour_of_day`` or ``day_of_week``.
        stored: the timestamp feature it reads; None: T itself.
        time: int64 microseconds of T, one per row.
    """
    read = Column(time, np.ones(len(time), np.bool_)) if stored is None else stored
    return _FUNCTIONS[function](read, time)
