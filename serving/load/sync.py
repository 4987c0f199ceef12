"""From the offline store to the online store: loading what landed and recording what was published."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from feature_store.checks.arguments import checked
from feature_store.codec.row_codec import LayoutField, RowLayout
from feature_store.columns import Column
from feature_store.dtypes import Boolean, DType, String
from feature_store.errors import NotComputedError
from feature_store.fingerprints import stored_column
from feature_store.model.features import Feature
from feature_store.model.views import FeatureView
from feature_store.offline.ledger.ledger import Ledger
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.availability import is_usable
from feature_store.temporal.instants import from_microseconds, to_microseconds
from serving.load.batch_tiles import BatchTiles
from serving.stores.snapshot import Chunk, LoadReport, Snapshot
from serving.stores.store import OnlineLoader

ROWS_AT_ONCE: Final = 1_000_000
"""Rows that are read at once."""

Progress = Callable[[str], None]

_Held = tuple[Feature, str]
"""A feature and the stored column that holds it: another one before it was renamed."""


@dataclass(frozen=True)
class SyncReport:
    """The state of a view in the online store after a sync.

    Attributes:
        served_as_of: as-of of the newest partition that is available; None: none is yet.
        loads: by as-of, what was loaded or found loaded: the served partition and those that wait for their time.
    """

    served_as_of: datetime | None
    loads: Mapping[datetime, LoadReport]


@checked
def sync_view(
    store: OfflineStore, view: FeatureView, writer: OnlineLoader, now: datetime, progress: Progress | None = None
) -> SyncReport:
    """Make the online store hold the newest available partition of a view and every landed one after it.

    Of a stream view these are the tiles that requests count which are served from the partition's end on. Doing it
    again changes nothing. Older partitions are not loaded: nobody is served from them.

    Args:
        store: the offline store.
        view: the view.
        writer: of the online store.
        now: the instant that divides available partitions from those that wait for their available-at.
        progress: told in words what is going on.

    Raises:
        NotComputedError: no partition has landed.
        FingerprintError: a partition was computed by another definition of a feature.
        DamagedError: the rows of a partition are not those that were written; what is served stays.
    """
    table = _table(store, view)
    opened = table.open()
    if opened.partitions.is_empty():
        raise NotComputedError(f"{view.full_name}: no partition has landed: materialize its table first")
    served, wanted = _wanted(opened.partitions, now)
    loads: dict[datetime, LoadReport] = {}
    for row in wanted.iter_slices(1):
        loads[row["as_of"][0]] = _load(view, writer, opened, row, table.ledger, progress)
    return SyncReport(served, loads)


@checked
def is_synced(store: OfflineStore, view: FeatureView, writer: OnlineLoader, now: datetime) -> bool:
    """Return whether ``sync_view`` would find everything loaded.

    Raises:
        FingerprintError: as ``sync_view``.
    """
    partitions = _table(store, view).ledger.partitions()
    snapshots = [_snapshot(view, partitions, row) for row in _wanted(partitions, now)[1].iter_rows(named=True)]
    return not any(writer.needs(view.full_name, snapshot) for snapshot in snapshots)


@checked
def outdated_as_ofs(store: OfflineStore, view: FeatureView, writer: OnlineLoader) -> list[datetime]:
    """Return the as-ofs of live generations that are no copies of what the ledger lists for them now.

    Raises:
        FingerprintError: as ``sync_view``.
    """
    partitions = _table(store, view).ledger.partitions()
    landed = {to_microseconds(row["as_of"]): row for row in partitions.iter_rows(named=True)}
    newest = {each.as_of: each for each in sorted(writer.generations(view.full_name), key=lambda each: each.id)}
    listed = {as_of: _snapshot(view, partitions, landed[as_of]) for as_of in newest if as_of in landed}
    outdated = [as_of for as_of, held in listed.items() if not held.is_held_by(newest[as_of])]
    return [from_microseconds(as_of) for as_of in outdated]


def _table(store: OfflineStore, view: FeatureView) -> PartitionedTable:
    """Return what is loaded of a view: its values, or of a stream view its tiles."""
    return store.tiles(view) if view.is_stream else store.values(view)


def _wanted(partitions: pl.DataFrame, now: datetime) -> tuple[datetime | None, pl.DataFrame]:
    """Return the as-of that is served now, and the partitions from it on."""
    available = partitions.filter(is_usable(pl.col("available_at"), now))
    served: datetime | None = available["as_of"].max() if available.height else None  # type: ignore[assignment]
    return served, partitions if served is None else partitions.filter(pl.col("as_of") >= served)


def _load(
    view: FeatureView,
    writer: OnlineLoader,
    opened: OpenTable,
    row: pl.DataFrame,
    ledger: Ledger,
    progress: Progress | None,
) -> LoadReport:
    partition = row.row(0, named=True)
    snapshot = _snapshot(view, opened.partitions, partition)
    of_all = "" if view.is_stream else f" of {partition['rows']}"

    def told(written: int) -> None:
        if progress is not None:
            progress(f"{view.full_name} as of {partition['as_of']}: {written}{of_all} rows loaded")

    report = writer.load(view.full_name, snapshot, _chunks(view, opened, row), told)
    if report.as_of == snapshot.as_of and partition["generation"] != report.generation:
        assert opened.version is not None
        published_at = from_microseconds(report.published_at)
        ledger.mark_published(partition["as_of"], published_at, report.generation, opened.version)
    return report


def _held(view: FeatureView, partition: Mapping[str, Any]) -> list[_Held]:
    """Return the features that a partition holds, which may be fewer than the view has now, and their columns."""
    computed: dict[str, str] = json.loads(partition["fingerprints"])
    view_name, features = view.full_name, view.stored_features
    found = ((f, stored_column(view_name, f.name, f.fingerprint, computed, f.renamed_from)) for f in features)
    return [(feature, column) for feature, column in found if column is not None]


def _snapshot(view: FeatureView, partitions: pl.DataFrame, partition: Mapping[str, Any]) -> Snapshot:
    """Return what is loaded of a partition."""
    if view.is_stream:
        return BatchTiles.of(view, partitions, partition).snapshot
    layout = RowLayout(tuple(LayoutField(f.name, f.dtype, f.fingerprint) for f, _ in _held(view, partition)))
    as_of, available_at = to_microseconds(partition["as_of"]), to_microseconds(partition["available_at"])
    return Snapshot(as_of, available_at, layout, partition["content_hash"], partition["rows"])


def _chunks(view: FeatureView, opened: OpenTable, row: pl.DataFrame) -> Iterator[Chunk]:
    partition = row.row(0, named=True)
    if view.is_stream:
        yield from BatchTiles.of(view, opened.partitions, partition).chunks(opened)
        return
    held = _held(view, partition)
    columns = dict.fromkeys(column for _, column in held)
    # Piece by piece: a partition may be larger than the memory of this process. A damaged one raises at the last piece
    # at the latest, and so is not published.
    for frame in opened.pieces(row, [*view.keys, *columns], ROWS_AT_ONCE):
        keys = [stored_values(frame[key], dtype) for key, dtype in view.entity.keys.items()]
        yield keys, {feature.name: stored_values(frame[column], feature.dtype) for feature, column in held}


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
