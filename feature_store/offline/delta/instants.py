"""Instants as columns, and the partitions between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import polars as pl

from feature_store.errors import InputError
from feature_store.temporal.durations import format_duration
from feature_store.temporal.instants import from_microseconds, to_microseconds

INSTANT: Final = pl.Datetime("us", "UTC")
"""The one type of every timestamp column."""


def instants(values: Sequence[datetime]) -> pl.Series:
    """Return datetimes as a column of the one timestamp type."""
    return pl.Series(values, dtype=INSTANT)


def partition_starts(start: datetime, end: datetime, cadence: int) -> list[datetime]:
    """Return the starts of the partitions of ``[start, end)``.

    Args:
        start: start of the first partition.
        end: end of the last.
        cadence: span of a partition, microseconds; partitions are aligned to the Unix epoch.

    Raises:
        InputError: the range is empty, or does not begin and end where partitions do.
    """
    first, last = to_microseconds(start), to_microseconds(end)
    if first >= last:
        raise InputError(f"[{start}, {end}) is not a range of partitions: the end must be after the start")
    for instant, microseconds in ((start, first), (end, last)):
        if microseconds % cadence:
            span = format_duration(cadence)
            raise InputError(
                f"{instant} is not where a partition of {span} begins: align it to multiples of {span} since 1970"
            )
    return [from_microseconds(at) for at in range(first, last, cadence)]
