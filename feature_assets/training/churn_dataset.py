"""The churn model's training set as Dagster builds it: the spine of a range of days, from the landed transactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from feature_assets.raw.clock import clock, now
from feature_assets.raw.sources import purchases
from feature_assets.training.churn_spine import ACTIVE_SPAN, LABEL_SPAN, build_spine, spine_times
from feature_store.offline.store import OfflineStore

FIRST_DAY = purchases.start + ACTIVE_SPAN
"""The first day whose households were observed for as long as all others."""


def churn_spine(store: OfflineStore, start: datetime, end: datetime) -> pl.DataFrame:
    """Return the spine rows of the days of ``[start, end)`` whose labels are known.

    Args:
        store: holds the landed transactions.
        start: a time with a zone.
        end: a time with a zone.

    Returns:
        See ``build_spine``; no rows for days whose label window is still open.
    """
    known_until = transactions_known_until(store)
    times = [time for time in spine_times(start, known_until) if time < end]
    midnight = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = store.source(purchases.asset).scan(midnight - ACTIVE_SPAN, end + LABEL_SPAN + timedelta(days=1))
    return build_spine(rows, times, known_until=known_until)


def transactions_known_until(store: OfflineStore) -> datetime:
    """Return the instant up to which all transactions have landed: the end of the last whole day, or of the data."""
    landed = store.source(purchases.asset).ledger.partitions()
    whole = landed.filter(pl.col("as_of") <= now())["as_of"].max()
    return min(whole, clock().data_end) if isinstance(whole, datetime) else purchases.start
