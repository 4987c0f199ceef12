"""Totals of what the demo has written, read from the ledgers and the online store."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime

import polars as pl

from feature_store.model.views import FeatureView
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import to_microseconds
from serving.stores.generations import select
from serving.stores.open_store import open_loader


def count_offline(store: OfflineStore, views: Iterable[FeatureView], sources: Iterable[str]) -> tuple[int, int]:
    """Return the partitions in all ledgers, and the rows of feature values."""
    views = list(views)
    values = [store.values(view).ledger.partitions() for view in views]
    tiles = [store.tiles(view).ledger.partitions() for view in views if not view.is_table]
    raw = [store.source(asset).ledger.partitions() for asset in sources]
    rows = pl.concat(ledger.select("rows") for ledger in values)["rows"].sum()
    return sum(ledger.height for ledger in (*raw, *tiles, *values)), int(rows)


def count_online(url: str, views: Iterable[FeatureView]) -> int:
    """Return the rows of the generations that are served now."""
    with closing(open_loader(url)) as writer:
        at = to_microseconds(datetime.now(UTC))
        served = [select(writer.generations(view.full_name), at) for view in views]
        return sum(generation.rows for generation in served if generation is not None)
