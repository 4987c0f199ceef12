"""Partitions that still have to be made: those that the ledger lacks or Dagster has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import dagster as dg

from feature_assets.backfill.range_runs import RangeRun
from feature_assets.backfill.spans import Span
from feature_assets.generator.keys import online_key, table_key, tiles_key
from feature_assets.project.locations import CodeLocation, Makers
from feature_store.model.sources import Source
from feature_store.model.views import FeatureView
from feature_store.offline.materialize.stale import stale_partitions, stale_tiles
from feature_store.offline.tables.source_table import landed_by_other_times
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY


def landing_run(store: OfflineStore, makers: Makers, source: Source, span: Span) -> RangeRun | None:
    """Return the runs that land the missing partitions of a source, and none between them.

    What has landed is not asked for again: who is asked may have forgotten it. But where rows lie by other times than
    the source declares by now (``known_at``), nothing else helps.
    """
    asset, ledger = source.asset, store.source(source.asset).ledger
    outdated = landed_by_other_times(source, ledger.partitions())["partition_start"]
    inside = [start for start in outdated if span.start <= start < span.end]
    missing = {*ledger.missing(span.start, span.end, span.cadence), *_unseen(store, [asset], span), *inside}
    if not missing:
        return None
    step = timedelta(microseconds=span.cadence)
    firsts = sorted(start for start in missing if start - step not in missing)
    lasts = sorted(start for start in missing if start + step not in missing)
    keys = [tuple(partition_key(each, span.cadence) for each in pair) for pair in zip(firsts, lasts, strict=True)]
    return RangeRun(asset, makers.of(asset), (asset,), tuple((first, last) for first, last in keys), len(missing))


def tile_run(store: OfflineStore, makers: Makers, view: FeatureView, span: Span) -> RangeRun | None:
    """Return the run that builds the missing tiles of a view."""
    stale = stale_tiles(store, view, span.start, span.end)
    return range_run(location_of(makers, view), f"tiles of {view.name}", [_text(tiles_key(view))], stale, span, store)


def value_run(store: OfflineStore, makers: Makers, view: FeatureView, span: Span) -> RangeRun | None:
    """Return the run that computes the missing values of a view."""
    stale = stale_partitions(store, view, span.start, span.end)
    features = [feature.name for feature in view.stored_features] if view.assets == "feature" else []
    assets = [_text(table_key(view)), *(f"{view.full_name}/{name}" for name in features)]
    return range_run(location_of(makers, view), view.name, assets, stale, span, store)


def load_run(makers: Makers, view: FeatureView) -> RangeRun:
    """Return the run that loads the newest partitions of a view into the online store."""
    return RangeRun(view.name, location_of(makers, view), (_text(online_key(view)),), (), 1)


def location_of(makers: Makers, view: FeatureView) -> CodeLocation:
    """Return the code location that computes a view.

    Raises:
        InputError: none does.
    """
    return makers.of(_text(table_key(view)))


def partition_key(start: datetime, cadence: int) -> str:
    """Return Dagster's key of the partition that starts then."""
    return start.strftime("%Y-%m-%d" if cadence >= DAY else "%Y-%m-%d-%H:%M")


def range_run(
    location: CodeLocation,
    label: str,
    assets: Sequence[str],
    stale: Iterable[datetime],
    span: Span,
    store: OfflineStore,
) -> RangeRun | None:
    """Return one run from the first to the last partition that is stale or unseen by Dagster; None: nothing is due.

    Args:
        location: the code location.
        label: what people see.
        assets: keys of the assets, ``/``-separated.
        stale: starts of the partitions whose data is missing or outdated.
        span: all partitions.
        store: where they lie.
    """
    needed = {*stale, *_unseen(store, assets, span)}
    if not needed:
        return None
    first, last = min(needed), max(needed)
    partitions = (last - first) // timedelta(microseconds=span.cadence) + 1
    keys = partition_key(first, span.cadence), partition_key(last, span.cadence)
    return RangeRun(label, location, tuple(assets), (keys,), partitions)


def _unseen(store: OfflineStore, assets: Iterable[str], span: Span) -> list[datetime]:
    """Return the partitions for which Dagster lacks a materialization of one of the assets.

    On a branch it lacks all that is shared with production: there, what lies in the store decides alone.
    """
    if store.branch is not None:
        return []
    with dg.DagsterInstance.get() as instance:
        seen = [instance.get_materialized_partitions(dg.AssetKey(key.split("/"))) for key in assets]
    return [start for start in span.starts if not all(partition_key(start, span.cadence) in keys for keys in seen)]


def _text(key: dg.AssetKey) -> str:
    return key.to_user_string()
