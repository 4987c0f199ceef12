"""Ranges of partitions: what is over, what values read, what may be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from feature_store.errors import InputError
from feature_store.model.views import FeatureView
from feature_store.offline.materialize.reach import floor_to, reach_start
from feature_store.temporal.durations import format_duration
from feature_store.temporal.instants import from_microseconds, to_microseconds


@dataclass(frozen=True)
class Span:
    """Partitions of one cadence (microseconds) from ``start`` to ``end``, UTC."""

    start: datetime
    end: datetime
    cadence: int

    @property
    def starts(self) -> list[datetime]:
        """Start of each partition."""
        step = timedelta(microseconds=self.cadence)
        return [self.start + index * step for index in range((self.end - self.start) // step)]


def complete_until(cadence: int, now: datetime, end: datetime | None = None) -> datetime:
    """Return the end of the last partition that is over, which is not after ``end`` where something ends.

    >>> complete_until(DAY, datetime(2026, 1, 2, 0, 0, 5, tzinfo=UTC)).isoformat()
    '2026-01-02T00:00:00+00:00'
    >>> complete_until(DAY, datetime(2026, 1, 2, tzinfo=UTC), datetime(2013, 3, 16, 12, tzinfo=UTC)).isoformat()
    '2013-03-16T00:00:00+00:00'
    """
    until = now if end is None else min(now, end)
    return from_microseconds(floor_to(to_microseconds(until), cadence))


def tile_span(view: FeatureView, values: Span) -> Span:
    """Return the partitions of tiles, or of a table's rows, beneath some values."""
    first_as_of = to_microseconds(values.start) + view.cadence
    return Span(from_microseconds(floor_to(reach_start(view, first_as_of), view.cadence)), values.end, view.cadence)


def landed_span(partitions: dg.TimeWindowPartitionsDefinition, now: datetime) -> Span:
    """Return all partitions of a landed asset that are over."""
    cadence, start = cadence_of(partitions), partitions.start
    return Span(start, max(start, complete_until(cadence, now, partitions.end)), cadence)


def within(span: Span, start: datetime, end: datetime) -> Span:
    """Return the partitions of a span that touch ``[start, end)``."""
    cadence = timedelta(microseconds=span.cadence)
    first = span.start + max(0, (start - span.start) // cadence) * cadence
    last = span.start + max(0, -((span.start - end) // cadence)) * cadence
    return Span(min(first, span.end), min(last, span.end), span.cadence)


def cadence_of(partitions: dg.TimeWindowPartitionsDefinition) -> int:
    """Return the span of a partition, microseconds."""
    first = partitions.get_next_partition_window(partitions.start)
    if first is None:
        raise InputError(f"partitions that begin at {partitions.start.isoformat()} end before the first is over")
    return (first.end - first.start) // timedelta(microseconds=1)


def asked_for(what: str, start: datetime, end: datetime, whole: Span) -> Span:
    """Return the partitions of ``[start, end)``.

    Args:
        what: whose they are, for messages.
        start: start of the first.
        end: end of the last.
        whole: all that can be made: from where it begins to where it, or the past, ends.

    Raises:
        InputError: they are none, lie outside, or are cut in pieces.
    """
    if start >= end:
        raise InputError(f"--from {start.isoformat()} does not lie before --to {end.isoformat()}")
    if start < whole.start:
        raise InputError(
            f"--from {start.isoformat()} lies before {what} starts: its first partition starts at "
            f"{whole.start.isoformat()}"
        )
    if end > whole.end:
        raise InputError(
            f"--to {end.isoformat()} lies after what there is of {what}: its last partition that is over ends at "
            f"{whole.end.isoformat()}"
        )
    cadence = timedelta(microseconds=whole.cadence)
    for option, instant in (("--from", start), ("--to", end)):
        if (instant - whole.start) % cadence:
            before = instant - (instant - whole.start) % cadence
            raise InputError(
                f"{option} {instant.isoformat()} lies inside a partition of {what} ({format_duration(whole.cadence)} "
                f"each): write {before.isoformat()} or {(before + cadence).isoformat()}"
            )
    return Span(start, end, whole.cadence)
