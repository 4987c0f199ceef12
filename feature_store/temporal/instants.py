"""Instants: aware datetimes as users write them, and microseconds since the Unix epoch as the code counts them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from feature_store.errors import InputError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST: Final = datetime.min.replace(tzinfo=UTC)
LAST: Final = datetime.max.replace(tzinfo=UTC)
"""The calendar: years 1 to 9999. A Timestamp outside it, which no datetime can hold, is null."""

_MICROSECOND: Final = timedelta(microseconds=1)


def to_microseconds(instant: datetime) -> int:
    """Return the microseconds of an instant since the Unix epoch.

    Raises:
        InputError: it has no time zone.

    >>> to_microseconds(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    if instant.tzinfo is None:
        raise InputError(f"{instant} has no time zone: write datetime(..., tzinfo=UTC)")
    return (instant - EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Return the UTC instant that lies so many microseconds after the Unix epoch."""
    return EPOCH + timedelta(microseconds=microseconds)


def iso_instant(microseconds: int) -> str:
    """Return an instant in ISO 8601, UTC, to the microsecond.

    >>> iso_instant(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    instant = from_microseconds(microseconds)
    return instant.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
