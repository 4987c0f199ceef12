"""Partitions of views, and which partitions of an upstream asset each of theirs reads."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import dagster as dg

from feature_store import EventSource, FeatureView, TableSource
from feature_store.offline.materialize.reach import tiles_start
from feature_store.temporal.durations import DAY, HOUR, WEEK

PARTITIONS_PER_RUN: Final = {HOUR: 72, DAY: 62, WEEK: 53}
"""Partitions that one run of a backfill computes, by cadence: two months of days, three days of hours."""

_ALL_HISTORY: Final = 100 * 366
"""Partitions before any other: a mapping stops where the upstream asset begins."""

_THURSDAY: Final = 4
"""Weeks are aligned to the Unix epoch, which was a Thursday."""


@lru_cache
def time_partitions(cadence: int, start: datetime, end: datetime | None) -> dg.TimeWindowPartitionsDefinition:
    """Return partitions of hours, days or weeks (a cadence in microseconds); up to ``end``, or on with the time."""
    if cadence == HOUR:
        return dg.HourlyPartitionsDefinition(start, end_date=end, timezone="UTC")
    if cadence == DAY:
        return dg.DailyPartitionsDefinition(start, end_date=end, timezone="UTC")
    return dg.WeeklyPartitionsDefinition(start, end_date=end, timezone="UTC", day_offset=_THURSDAY)


def end_of(source: EventSource | TableSource, end: datetime | None) -> datetime | None:
    """Return where partitions end: where the source does, or at an earlier end that is given; None: nowhere."""
    return min((each for each in (source.end, end) if each is not None), default=None)


def value_partitions(view: FeatureView, end: datetime | None = None) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions of a view's table, one per as-of, which is its end; up to ``end``, or on with the time."""
    return time_partitions(view.cadence, view.start, end_of(view.source, end))


def tile_partitions(view: FeatureView, end: datetime | None = None) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions of a view's tiles; they begin where the first window does."""
    return time_partitions(view.cadence, tiles_start(view), end_of(view.source, end))


def backfill_policy(view: FeatureView) -> dg.BackfillPolicy:
    """Return how a backfill is cut into runs."""
    return dg.BackfillPolicy.multi_run(PARTITIONS_PER_RUN[view.cadence])


def lookback(view: FeatureView) -> dg.TimeWindowPartitionMapping:
    """Return which partitions of the tiles (for table views: of the source) a partition of the table reads."""
    return reads(1 - _partitions_read(view))


def reads(start_offset: int, end_offset: int = 0) -> dg.TimeWindowPartitionMapping:
    """Return that a partition reads those from one before it (or after) to another, as far as they exist."""
    with stable_api():
        return dg.TimeWindowPartitionMapping(
            start_offset=start_offset, end_offset=end_offset, allow_nonexistent_upstream_partitions=True
        )


@contextmanager
def stable_api() -> Generator[None]:
    """Spare those who declare views a warning each: of Dagster's beta options we use some, at a pinned version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield


def _partitions_read(view: FeatureView) -> int:
    if not isinstance(view.source, EventSource):
        return _ALL_HISTORY if view.row_ttl is None else -(-view.row_ttl // view.cadence)
    if view.has_all_history:
        return _ALL_HISTORY
    # The tail of a window moves in hops: where they are longer than the cadence, it may lie further back than `over`.
    reach = max(window.over + max(window.hop - view.cadence, 0) for window in view.windows)
    return -(-reach // view.cadence)


def as_timedelta(span: int) -> timedelta:
    """Return a span of the model as a timedelta."""
    return timedelta(microseconds=span)
