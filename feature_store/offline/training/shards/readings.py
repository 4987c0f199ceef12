"""What is read of the views of a service for a spine: decided once, from the ledgers and the facts of the spine."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import polars as pl

from feature_store.engines.polars.chunks import Reading
from feature_store.fingerprints import stored_column
from feature_store.offline.join.opened_views import Opened
from feature_store.offline.join.partition_choice import Availability, candidates_of
from feature_store.offline.join.shard_tables import copy_without_rows, without_rows
from feature_store.offline.join.stream_choice import OpenStream, choose_stream
from feature_store.offline.materialize.plans import stored_rows
from feature_store.offline.tables.open_table import OpenTable, patched
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.shards.plan import CopyReading, ShardView
from feature_store.plans.service_plan import PlanView
from feature_store.temporal.instants import from_microseconds


def listed(opened: Opened) -> Opened:
    """Return what the ledgers of a view list, for tasks."""
    if isinstance(opened, OpenStream):
        start = from_microseconds(0)
        return OpenStream(without_rows(opened.tiles), copy_without_rows(opened.copy, start, start))
    return without_rows(opened)


def shard_view(
    store: OfflineStore,
    view: PlanView,
    opened: Opened,
    availability: Availability,
    chosen: frozenset[int],
    times: tuple[int, int],
) -> ShardView:
    """Return a view as tasks join it.

    Args:
        store: the offline store.
        view: as the service reads it.
        opened: what is kept of it.
        availability: see ``Availability``.
        chosen: the places of the candidates that rows of the spine read.
        times: the smallest and the largest T, microseconds.

    Raises:
        VersionExpiredError: something that was served is no longer kept.
    """
    if isinstance(opened, OpenStream):
        return _stream_view(store, view, opened, availability, chosen, times)
    candidates = candidates_of(opened, availability)[sorted(chosen)]
    keys = tuple(key.name for key in view.keys)
    readings: dict[int | None, Reading] = {
        version: Reading(stored_rows(opened.at(version), part), _columns(view, part), keys)
        for version, part in _by_version(candidates)
    }
    return ShardView(without_rows(opened), readings)


def _by_version(candidates: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    for version in candidates["read_at"].unique().sort().to_list():
        yield version, candidates.filter(pl.col("read_at") == version).sort("partition_start")


def _columns(view: PlanView, candidates: pl.DataFrame) -> tuple[str, ...]:
    """Return the stored columns that hold the keys and features of a view, in any of some partitions."""
    texts: list[dict[str, str]] = [json.loads(text) for text in candidates["fingerprints"].unique().to_list()]
    found = {
        stored_column(view.view, feature.name, feature.fingerprint, held, feature.renamed_from)
        for feature in view.features
        for held in texts
    }
    return (*(key.name for key in view.keys), *sorted(name for name in found if name is not None))


def _stream_view(
    store: OfflineStore,
    view: PlanView,
    opened: OpenStream,
    availability: Availability,
    chosen: frozenset[int],
    times: tuple[int, int],
) -> ShardView:
    plan = view.stream
    assert plan is not None
    usable = candidates_of(opened.tiles, availability)
    heads = plan.as_of(np.array(times, np.int64)).tolist()
    start = from_microseconds(min(window.tail(heads[0]) for window in plan.windows))
    end = from_microseconds(max(heads[1], min(window.tail(heads[0]) for window in plan.windows)))
    keys = tuple(key.name for key in view.keys)
    now = opened.tiles
    tables: dict[int | None, OpenTable] = {now.version: now} if now.version is not None else {}
    if availability == "actual":
        for publication in usable[sorted(chosen)].iter_rows(named=True):
            version = publication["delta_version"]
            if patched(now, version, publication["as_of"]).differs:
                tables[version] = now.at(version)
    within = (pl.col("as_of") > start) & (pl.col("partition_start") < end)
    readings = {
        version: Reading(stored_rows(table, table.partitions.filter(within)), None, keys)
        for version, table in tables.items()
    }
    writes = choose_stream(view, plan, opened, usable, np.zeros(0, np.int64)).writes
    copy = CopyReading(store, view.view, opened.copy.version, writes, keys, start, end) if writes.height else None
    # Of what was served, tasks find out for their rows whether it was corrected since.
    served = usable[sorted(chosen)]["delta_version"].unique().to_list() if availability == "actual" else []
    listed_tiles = without_rows(now, served)
    return ShardView(OpenStream(listed_tiles, copy_without_rows(opened.copy, start, end)), readings, copy)
