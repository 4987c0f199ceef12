"""The raw rows of a few entities, straight from the source's table: what a second computation starts from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import polars as pl

from feature_store import EventSource, FeatureView
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.engines.polars.source_rows import read_rows
from feature_store.offline.materialize.inputs import inputs_of
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import from_microseconds, to_microseconds

Row = dict[str, Any]
Keys = tuple[Any, ...]


def raw_rows(
    store: OfflineStore, view: FeatureView, entities: Iterable[Keys], start: datetime, end: datetime
) -> list[Row]:
    """Return the landed source rows of some entities, in the declared columns and types.

    Args:
        store: the offline store.
        view: whose source is read.
        entities: their keys.
        start: rows of the source partition that covers this instant, and later ones; the first may begin earlier.
        end: source partitions that begin before it.

    Returns:
        Rows ordered by their time; instants in UTC.
    """
    return raw_frame(store, view, entities, start, end).to_dicts()


def raw_frame(
    store: OfflineStore, view: FeatureView, entities: Iterable[Keys], start: datetime, end: datetime
) -> pl.DataFrame:
    """Return what ``raw_rows`` does as a frame."""
    keys = {key: polars_dtype(dtype) for key, dtype in view.entity.keys.items()}
    wanted = pl.DataFrame(list(entities), schema=keys, orient="row").lazy()
    rows = _scan(store, view, start, end).join(wanted, on=view.keys, how="semi")
    return rows.collect().sort(time_column(view), maintain_order=True)


def recent_entities(store: OfflineStore, view: FeatureView, start: datetime, end: datetime, most: int) -> list[Keys]:
    """Return entities that have a row in a span of the source, ``most`` of them at most, in no particular order."""
    whole = pl.all_horizontal(pl.col(key).is_not_null() for key in view.keys)
    time = pl.col(time_column(view)).is_between(start, end, closed="left")
    found = _scan(store, view, start, end).filter(whole & time).select(view.keys).unique().head(most)
    return found.collect().rows()


def time_column(view: FeatureView) -> str:
    """Return the column of a source that says when a row happened, or from when it holds."""
    return view.source.event_time if isinstance(view.source, EventSource) else view.source.time


def _scan(store: OfflineStore, view: FeatureView, start: datetime, end: datetime) -> pl.LazyFrame:
    opened = store.source(view.source.asset).open()
    names = [*view.source.columns, *view.keys]
    begin = inputs_of(view.source.asset, opened.partitions).begin(to_microseconds(start))
    return read_rows(view.source, opened.scan_some(opened.between(from_microseconds(begin), end)), names)
