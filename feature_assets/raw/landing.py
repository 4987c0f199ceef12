"""Landing: what arrives in a span of time is checked against the declared columns and replaces what lies there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from feature_assets.raw import sources
from feature_assets.raw.clock import keep_clock, now
from feature_assets.raw.completejourney import RawData
from feature_store import EventSource, TableSource
from feature_store.durations import DAY, HOUR
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.errors import InputError
from feature_store.offline.store import OfflineStore


@dataclass(frozen=True)
class Landing:
    """How the rows of a source arrive.

    Attributes:
        source: the declared source.
        rows: reads the rows of all times, lazily.
        cadence: span of a partition, microseconds.
    """

    source: EventSource | TableSource
    rows: Callable[[RawData], pl.LazyFrame]
    cadence: int = DAY

    @property
    def time_column(self) -> str:
        """The column that says to which partition a row belongs."""
        return self.source.event_time if isinstance(self.source, EventSource) else self.source.time

    def arrived(self, data: RawData, start: datetime, end: datetime) -> pl.DataFrame:
        """Return the rows of ``[start, end)`` that lie before now, in those declared columns that there are."""
        time = pl.col(self.time_column)
        rows = self.rows(data).filter(time >= start, time < min(end, now()))
        return rows.select(name for name in self.source.columns if name in rows.collect_schema()).collect()

    def rows_without_time(self, data: RawData) -> int:
        """Return how many rows do not say when they happened: they belong to no partition, and are left out."""
        time = pl.col(self.time_column)
        return self.rows(data).select(time.null_count()).collect().item()

    def problems(self, frame: pl.DataFrame) -> list[str]:
        """Return what keeps rows from being what the source declares; empty: nothing."""
        found: list[str] = []
        for name, dtype in self.source.columns.items():
            if name not in frame.columns:
                found.append(f"column {name!r} is missing")
            elif frame.schema[name] != polars_dtype(dtype):
                found.append(f"column {name!r} is a {frame.schema[name]}, declared as {dtype}")
        return found

    def write(self, store: OfflineStore, frame: pl.DataFrame, start: datetime, end: datetime, run_id: str) -> int:
        """Replace the partitions of ``[start, end)`` with rows, and return their number.

        Raises:
            InputError: the rows are not what the source declares, or another process has kept another clock.
        """
        problems = self.problems(frame)
        if problems:
            raise InputError(f"{self.source.asset}: {'; '.join(problems)}: mend the data or the declared source")
        keep_clock()
        table = store.source(self.source.asset)
        return table.write(frame, start, end, time_column=self.time_column, run_id=run_id, cadence=self.cadence)


LANDINGS: Final = (
    Landing(sources.purchases, RawData.transactions),
    Landing(sources.recent_purchases, RawData.transactions, HOUR),
    Landing(sources.coupon_redemptions, RawData.coupon_redemptions),
    Landing(sources.demographics, RawData.demographics),
    Landing(sources.products, RawData.products),
    Landing(sources.campaigns, RawData.campaigns),
)
"""Everything that is landed."""


def land(store: OfflineStore, asset: str, start: datetime, end: datetime, run_id: str) -> int:
    """Land what arrived in ``[start, end)`` and return the number of rows; what Dagster's raw assets do.

    Raises:
        InputError: no such asset, or its rows are not what is declared.
    """
    landing = next((each for each in LANDINGS if each.source.asset == asset), None)
    if landing is None:
        known = ", ".join(each.source.asset for each in LANDINGS)
        raise InputError(f"{asset!r} is not landed here: use one of {known}")
    return landing.write(store, landing.arrived(RawData.current(), start, end), start, end, run_id)
