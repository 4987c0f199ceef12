"""Feeds: how the rows of each source arrive from the shop's systems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from feature_assets.landing import Source, land, time_column
from feature_assets.raw import sources
from feature_assets.raw.clock import keep_clock, now
from feature_assets.raw.completejourney import RawData
from feature_store.errors import InputError
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY, HOUR


@dataclass(frozen=True)
class Feed:
    """How the rows of a source arrive.

    Attributes:
        source: the declared source.
        rows: reads the rows of all times, lazily.
        cadence: span of a partition, microseconds.
    """

    source: Source
    rows: Callable[[RawData], pl.LazyFrame]
    cadence: int = DAY

    def arrived(self, start: datetime, end: datetime) -> pl.DataFrame:
        """Return the rows of ``[start, end)`` that lie before now, and those that say no time.

        Raises:
            InputError: another process has kept another clock.
        """
        keep_clock()
        time = pl.col(time_column(self.source))
        inside = (time >= start) & (time < min(end, now()))
        rows = self.rows(RawData.current()).filter(inside | time.is_null())
        return rows.select(name for name in self.source.columns if name in rows.collect_schema()).collect()


FEEDS: Final = (
    Feed(sources.purchases, RawData.transactions),
    Feed(sources.recent_purchases, RawData.transactions, HOUR),
    Feed(sources.coupon_redemptions, RawData.coupon_redemptions),
    Feed(sources.demographics, RawData.demographics),
    Feed(sources.products, RawData.products),
    Feed(sources.campaigns, RawData.campaigns),
)
"""Everything that is landed."""


def land_feed(store: OfflineStore, asset: str, start: datetime, end: datetime, run_id: str) -> int:
    """Land what arrived in ``[start, end)`` and return the number of rows; what Dagster's raw assets do.

    Raises:
        InputError: no such asset, or its rows are not what is declared.
    """
    feed = next((each for each in FEEDS if each.source.asset == asset), None)
    if feed is None:
        known = ", ".join(each.source.asset for each in FEEDS)
        raise InputError(f"{asset!r} is not landed here: use one of {known}")
    rows = feed.arrived(start, end)
    return land(store, feed.source, rows, start, end, run_id=run_id, cadence=feed.cadence).total
