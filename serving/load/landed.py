"""A landed partition as it is loaded: what it is known by online, and its rows.

Of a stream view that are the tiles that requests count which are served from the partition's end on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from feature_store.codec.row_codec import LayoutField, RowLayout
from feature_store.columns import Column
from feature_store.dtypes import Boolean, DType, String
from feature_store.fingerprints import stored_column
from feature_store.model.features import Feature
from feature_store.model.views import FeatureView
from feature_store.offline.ledger.ledger_entries import published_rows
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.availability import is_usable
from feature_store.temporal.instants import to_microseconds
from serving.load.batch_tiles import BatchTiles
from serving.stores.snapshot import Chunk, Snapshot

ROWS_AT_ONCE: Final = 1_000_000
"""Rows that are read at once."""

_Held = tuple[Feature, str]
"""A feature and the stored column that holds it: another one before it was renamed."""


def loaded_table(store: OfflineStore, view: FeatureView) -> PartitionedTable:
    """Return what is loaded of a view: its values, or of a stream view its tiles."""
    return store.tiles(view) if view.is_stream else store.values(view)


def wanted_partitions(partitions: pl.DataFrame, now: datetime) -> tuple[datetime | None, pl.DataFrame]:
    """Return the as-of that is served now (None: none is yet), and the partitions from it on."""
    available = partitions.filter(is_usable(pl.col("available_at"), now))
    served: datetime | None = available["as_of"].max() if available.height else None  # type: ignore[assignment]
    return served, partitions if served is None else partitions.filter(pl.col("as_of") >= served)


@dataclass(frozen=True)
class Landed:
    """One partition of what is loaded of a view.

    Attributes:
        view: the view.
        opened: its table.
        partition: a row of ``opened.partitions``, by column.
    """

    view: FeatureView
    opened: OpenTable
    partition: Mapping[str, Any]

    @cached_property
    def snapshot(self) -> Snapshot:
        """The snapshot that it is loaded as; no row is read for that.

        Raises:
            FingerprintError: it was computed by another definition of a feature.
        """
        damaged = self.opened.damaged_generations.filter(self._is_own)["generation"].to_list()
        return replace(self._undoubted, damaged=frozenset(damaged))

    @property
    def _undoubted(self) -> Snapshot:
        if self.view.is_stream:
            tiles = self._tiles.snapshot
            start = self.partition["partition_start"]
            return replace(tiles, rows=published_rows(self.opened.entries, start, tiles.content_hash))
        layout = RowLayout(tuple(LayoutField(f.name, f.dtype, f.fingerprint) for f, _ in self._held))
        as_of, available_at = to_microseconds(self.partition["as_of"]), to_microseconds(self.partition["available_at"])
        return Snapshot(as_of, available_at, layout, self.partition["content_hash"], self.partition["rows"])

    def rows(self) -> tuple[int, Iterator[Chunk]]:
        """Return how many entities it holds, and these; use none before the last came.

        Raises:
            DamagedError: the rows are not those that were written; some are raised as late as with the last chunk.
        """
        if self.view.is_stream:
            return self._tiles.entities(self.opened)
        return self.partition["rows"], self._values()

    def _values(self) -> Iterator[Chunk]:
        columns = dict.fromkeys(column for _, column in self._held)
        # Piece by piece: a partition may be larger than the memory of this process. A damaged one raises at the last
        # piece at the latest, and so is not published.
        for frame in self.opened.pieces(self._row, [*self.view.keys, *columns], ROWS_AT_ONCE):
            keys = [stored_values(frame[key], dtype) for key, dtype in self.view.entity.keys.items()]
            yield keys, {feature.name: stored_values(frame[column], feature.dtype) for feature, column in self._held}

    @cached_property
    def _tiles(self) -> BatchTiles:
        return BatchTiles.of(self.view, self.opened.partitions, self.partition)

    @property
    def _is_own(self) -> pl.Expr:
        return pl.col("partition_start") == self.partition["partition_start"]

    @property
    def _row(self) -> pl.DataFrame:
        return self.opened.partitions.filter(self._is_own)

    @cached_property
    def _held(self) -> list[_Held]:
        """The features that it holds, which may be fewer than the view has now, and their columns."""
        computed: dict[str, str] = json.loads(self.partition["fingerprints"])
        view_name, features = self.view.full_name, self.view.stored_features
        found = ((f, stored_column(view_name, f.name, f.fingerprint, computed, f.renamed_from)) for f in features)
        return [(feature, column) for feature, column in found if column is not None]


def stored_values(series: pl.Series, dtype: DType) -> Column:
    """Return a stored column, vectors and arrays as lists, in the shape in which the core hands values around."""
    if dtype.is_array:
        slots = [stored_values(series.list.get(place), dtype.element) for place in range(dtype.length)]
        return Column(np.column_stack([slot.values for slot in slots]), np.column_stack([s.valid for s in slots]))
    valid = series.is_not_null().to_numpy()
    if dtype.is_vector:
        vectors = np.zeros((len(series), dtype.length), np.float32)
        vectors[valid] = series.drop_nulls().list.to_array(dtype.length).to_numpy()
        return Column(vectors, valid)
    if dtype == String:
        return Column(series.fill_null("").to_numpy().astype(object), valid)
    if dtype == Boolean:
        return Column(series.fill_null(value=False).cast(pl.UInt8).to_numpy(), valid)
    return Column(series.to_physical().fill_null(0).to_numpy(), valid)
