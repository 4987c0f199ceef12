"""The churn model's training set as Dagster builds it: the spine of a range of days, from the landed transactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
import polars as pl

from feature_assets.generator.partitions import reads
from feature_assets.raw.clock import clock, now
from feature_assets.raw.sources import purchases
from feature_assets.teams.growth.training.churn_spine import (
    ACTIVE_SPAN,
    LABEL_SPAN,
    SCORING_TIME,
    build_spine,
    spine_times,
)
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY

FIRST_DAY = purchases.start + ACTIVE_SPAN
"""The first day whose households were observed for as long as all others."""


DEPS: Final = (dg.AssetDep(purchases.asset.split("/"), partition_mapping=reads(-ACTIVE_SPAN.days, LABEL_SPAN.days)),)
"""What a day of the training set reads of the landed transactions."""


def churn_spine(store: OfflineStore, start: datetime, end: datetime) -> pl.DataFrame:
    """Return the spine rows of the days of ``[start, end)`` whose labels are known.

    Args:
        store: holds the landed transactions.
        start: a time with a zone.
        end: a time with a zone.

    Returns:
        See ``build_spine``; no rows for days whose label window is still open, or reaches a day that has not landed.
    """
    known_until = transactions_known_until(store, start - ACTIVE_SPAN)
    times = [time for time in spine_times(start, known_until) if time < end]
    rows = store.source(purchases.asset).scan(_midnight(start) - ACTIVE_SPAN, end + LABEL_SPAN + timedelta(days=1))
    return build_spine(rows, times, known_until=known_until)


def labels_known_until(store: OfflineStore, start: datetime) -> datetime:
    """Return the end of the days from ``start`` on whose labels are all known; ``start`` or less if there are none."""
    known_until = transactions_known_until(store, start - ACTIVE_SPAN)
    return _midnight(known_until - LABEL_SPAN - SCORING_TIME) + timedelta(days=1)


def transactions_known_until(store: OfflineStore, since: datetime) -> datetime:
    """Return the instant up to which all transactions from ``since`` on have landed.

    That is the end of the last day before the first one that has not landed, or the end of the data.
    """
    first = _midnight(since)
    landed = store.source(purchases.asset).ledger
    missing = landed.missing(first, _midnight(now()), DAY)
    return min(missing[0] if missing else _midnight(now()), clock().data_end)


def _midnight(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
