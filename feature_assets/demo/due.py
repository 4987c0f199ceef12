"""Which partitions the demo still has to compute: those that the ledger lacks or Dagster has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from feature_assets.demo.range_runs import RangeRun
from feature_store.model.views import FeatureView
from feature_store.offline.materialize.reach import floor_to, reach_start
from feature_store.offline.materialize.stale import stale_partitions, stale_tiles
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY
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


def complete_until(cadence: int, now: datetime) -> datetime:
    """Return the end of the last partition that is over.

    >>> complete_until(DAY, datetime(2026, 1, 2, 0, 0, 5, tzinfo=UTC)).isoformat()
    '2026-01-02T00:00:00+00:00'
    """
    return from_microseconds(floor_to(to_microseconds(now), cadence))


def value_span(view: FeatureView, now: datetime, days: int, recent_days: int) -> Span:
    """Return the partitions of values that the demo backfills."""
    end = complete_until(view.cadence, now)
    is_recent = view.is_stream or view.cadence < DAY
    reach = timedelta(days=min(days, recent_days) if is_recent else days)
    return Span(max(view.start, end - reach), end, view.cadence)


def tile_span(view: FeatureView, values: Span) -> Span:
    """Return the partitions of tiles beneath some values."""
    first_as_of = to_microseconds(values.start) + view.cadence
    return Span(from_microseconds(floor_to(reach_start(view, first_as_of), view.cadence)), values.end, view.cadence)


def landing_run(store: OfflineStore, asset: str, span: Span) -> RangeRun | None:
    """Return the run that lands the missing partitions of a raw asset."""
    missing = store.source(asset).ledger.missing(span.start, span.end, span.cadence)
    return range_run("feature_assets.raw.definitions", asset, [asset], missing, span)


def tile_run(store: OfflineStore, view: FeatureView, span: Span) -> RangeRun | None:
    """Return the run that builds the missing tiles of a view."""
    stale = stale_tiles(store, view, span.start, span.end)
    return range_run(location_of(view), f"tiles of {view.name}", [f"{view.full_name}/_tiles"], stale, span)


def value_run(store: OfflineStore, view: FeatureView, span: Span) -> RangeRun | None:
    """Return the run that computes the missing values of a view."""
    stale = stale_partitions(store, view, span.start, span.end)
    features = [feature.name for feature in view.stored_features] if view.assets == "feature" else []
    assets = [f"{view.full_name}/{name}" for name in ("_table", *features)]
    return range_run(location_of(view), view.name, assets, stale, span)


def location_of(view: FeatureView) -> str:
    """Return the module of the code location that computes a view."""
    return f"feature_assets.teams.{view.owner}.definitions"


def partition_key(start: datetime, cadence: int) -> str:
    """Return Dagster's key of the partition that starts then."""
    return start.strftime("%Y-%m-%d" if cadence >= DAY else "%Y-%m-%d-%H:%M")


def range_run(
    location: str, label: str, assets: Sequence[str], stale: Iterable[datetime], span: Span
) -> RangeRun | None:
    """Return one run over all partitions that are stale or that Dagster has not seen; None if there are none.

    Args:
        location: module of the code location.
        label: what people see.
        assets: keys of the assets, ``/``-separated.
        stale: starts of the partitions whose data is missing or outdated.
        span: all partitions.
    """
    needed = {*stale, *_unseen(assets, span)}
    if not needed:
        return None
    first, last = min(needed), max(needed)
    partitions = (last - first) // timedelta(microseconds=span.cadence) + 1
    keys = partition_key(first, span.cadence), partition_key(last, span.cadence)
    return RangeRun(label, location, tuple(assets), *keys, partitions)


def _unseen(assets: Iterable[str], span: Span) -> list[datetime]:
    """Return the partitions for which Dagster lacks a materialization of one of the assets."""
    with dg.DagsterInstance.get() as instance:
        seen = [instance.get_materialized_partitions(dg.AssetKey(key.split("/"))) for key in assets]
    return [start for start in span.starts if not all(partition_key(start, span.cadence) in keys for keys in seen)]
