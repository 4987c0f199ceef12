"""Partitions that computing them again would change: of tiles and of values."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from feature_store.model.views import FeatureView
from feature_store.offline.delta.instants import partition_starts
from feature_store.offline.materialize.inputs import Inputs
from feature_store.offline.materialize.value_inputs import ValueInputs, source_inputs
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.view_tables import tile_fingerprints
from feature_store.temporal.instants import to_microseconds


def stale_partitions(store: OfflineStore, view: FeatureView, start: datetime, end: datetime) -> list[datetime]:
    """Return the starts of partitions of values in ``[start, end)`` that computing them again would change.

    These are partitions that have not landed, and those whose features or inputs are others now.
    """
    starts = partition_starts(start, end, view.cadence)
    inputs = ValueInputs.of(store, view)
    landed = _landed_inputs(store.values(view).ledger.partitions())
    return [at for at in starts if landed.get(at) != inputs.hash_at(to_microseconds(at) + view.cadence)]


def stale_tiles(store: OfflineStore, view: FeatureView, start: datetime, end: datetime) -> list[datetime]:
    """Return the starts of tile partitions in ``[start, end)`` that building them again would change."""
    starts = partition_starts(start, end, view.cadence)
    inputs = source_inputs(view, store.source(view.source.asset).open())
    landed = _landed_inputs(store.tiles(view).ledger.partitions())
    return [at for at in starts if landed.get(at) != tile_inputs_hash(view, inputs, at)]


def tile_inputs_hash(view: FeatureView, inputs: Inputs, start: datetime) -> str:
    """Return a hash of the source partitions from which the tiles of a partition are built."""
    begin = to_microseconds(start)
    return inputs.hash_of(begin, begin + view.cadence, tile_fingerprints(view))


def _landed_inputs(partitions: pl.DataFrame) -> dict[datetime, str]:
    return dict(partitions.select("partition_start", "inputs_hash").iter_rows())
