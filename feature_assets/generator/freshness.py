"""Freshness of a view as its stores tell it: by the ledger, and by what the online store serves."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from feature_store import FeatureView
from feature_store.offline.tables.store import OfflineStore
from feature_store.quality.freshness import Freshness, judge
from feature_store.temporal.availability import is_usable
from feature_store.temporal.instants import from_microseconds, to_microseconds
from serving.stores.store import OnlineLoader


def freshness_of(store: OfflineStore, view: FeatureView, now: datetime) -> Freshness:
    """Judge a view by its ledger.

    Args:
        store: the offline store.
        view: the view.
        now: the instant at which to judge, with a zone.
    """
    table = store.tiles(view) if view.is_stream else store.values(view)
    usable = table.ledger.partitions().filter(is_usable(pl.col("available_at"), now))
    return judge(view, usable["as_of"].to_list(), now)


def served_freshness_of(writer: OnlineLoader, view: FeatureView, now: datetime) -> Freshness:
    """Judge a view by what the online store serves: generations that are whole, and whose time has come.

    Args:
        writer: of the online store; nothing is written.
        view: the view.
        now: the instant at which to judge, with a zone.

    Raises:
        StoreUnavailableError: the store does not answer.
    """
    at = to_microseconds(now)
    usable = [each for each in writer.generations(view.full_name) if is_usable(each.available_at, at)]
    return judge(view, [from_microseconds(each.as_of) for each in usable], now)
