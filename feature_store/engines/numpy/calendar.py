"""Parts of timestamps in numpy, in the calendar of UTC. Timestamps are int64 microseconds since the Unix epoch."""

from __future__ import annotations

import numpy as np

from feature_store.columns import Array
from feature_store.temporal.durations import DAY, HOUR


def year(micros: Array) -> Array:
    """Return calendar years."""
    return _since_1970(micros, "Y") + 1970


def month(micros: Array) -> Array:
    """Return months, 1 to 12."""
    return _since_1970(micros, "M") % 12 + 1


def day(micros: Array) -> Array:
    """Return days of the month, 1 to 31.

    >>> day(np.array([-1, 0, 31 * DAY])).tolist()
    [31, 1, 1]
    """
    instants = micros.view("datetime64[us]")
    first = instants.astype("datetime64[M]").astype("datetime64[D]")
    return (instants.astype("datetime64[D]") - first).astype(np.int64) + 1


def hour(micros: Array) -> Array:
    """Return hours, 0 to 23."""
    return micros // HOUR % 24


def weekday(micros: Array) -> Array:
    """Return days of the week, Monday being 0 (1970-01-01 was a Thursday)."""
    return (micros // DAY + 3) % 7


def _since_1970(micros: Array, unit: str) -> Array:
    return micros.view("datetime64[us]").astype(f"datetime64[{unit}]").astype(np.int64)
