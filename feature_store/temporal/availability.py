"""The time when a value may be used: strictly after its available-at, until it outlives the TTL. Decided here alone.

Microseconds, datetimes, arrays and Polars expressions are all compared alike, so every engine and path asks here. The
oracle says it a second time, in its own words.
"""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import numpy.typing as npt


@overload
def is_usable(available_at: int, time: int) -> bool: ...
@overload
def is_usable(available_at: Any, time: Any) -> Any: ...
def is_usable(available_at: Any, time: Any) -> Any:
    """Return whether a value may be used at T: its available-at lies strictly before T.

    Args:
        available_at: an instant, or an array or expression of instants.
        time: T, of the same kind.

    >>> is_usable(10, 10), is_usable(10, 11)
    (False, True)
    """
    return available_at < time


@overload
def is_expired(as_of: int, time: int, ttl: int | None) -> bool: ...
@overload
def is_expired(as_of: Any, time: Any, ttl: Any) -> Any: ...
def is_expired(as_of: Any, time: Any, ttl: Any) -> Any:
    """Return whether a value is too old at T: its as-of lies more than the TTL before T.

    Args:
        as_of: an instant, or an array of instants.
        time: T, of the same kind.
        ttl: a span of that kind; None: nothing grows too old.

    >>> is_expired(10, 13, 3), is_expired(10, 14, 3), is_expired(10, 14, None)
    (False, True, False)
    """
    return ttl is not None and time - as_of > ttl


def count_usable(available_at: npt.NDArray[np.int64], time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return for each T how many values may be used.

    Args:
        available_at: int64 microseconds, in order.
        time: T, int64 microseconds.

    >>> count_usable(np.array([10, 20]), np.array([10, 11, 21])).tolist()
    [0, 1, 2]
    """
    return np.searchsorted(available_at, time, side="left")


def first_use(available_at: int) -> int:
    """Return the first T, in microseconds, at which a value may be used."""
    return available_at + 1


def latest_available_at(time: int) -> int:
    """Return the latest available-at, in microseconds, of what may be used at T."""
    return time - 1
