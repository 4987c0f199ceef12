"""Computing what a view stores: tiles from its source, values from its tiles (or, for table views, from its source)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from feature_store.engines.polars.snapshots import snapshot
from feature_store.engines.polars.stream_tiles import build_stream_tiles
from feature_store.engines.polars.tables import table_snapshot
from feature_store.engines.polars.tiles import build_tiles
from feature_store.offline.all_history import Checkpoints, RunningState, SortedTiles
from feature_store.offline.inputs import Inputs, inputs_of
from feature_store.offline.instants import INSTANT, from_microseconds, partition_starts, to_microseconds
from feature_store.offline.reach import floor_to, reach_start
from feature_store.offline.reading import OpenTable
from feature_store.offline.store import OfflineStore
from feature_store.offline.stream_values import stream_snapshots
from feature_store.offline.tables import tile_fingerprints
from feature_store.views import FeatureView

Progress = Callable[[int, int], None]
"""Called with the number of partitions done and of all."""


@dataclass(frozen=True)
class TileReport:
    """What building tiles did.

    Attributes:
        rows: tiles written.
        partitions: partitions written.
        excluded: source rows without a key, by partition start.
    """

    rows: int
    partitions: int
    excluded: Mapping[datetime, int]


@dataclass(frozen=True)
class ValueFrame:
    """Computed values of some partitions, not yet stored.

    Attributes:
        frame: ``partition_start, as_of``, keys and stored features.
        inputs_hash: by partition start, hash of everything the values were computed from.
        checkpoints: all-history states to be stored with them.
    """

    frame: pl.DataFrame
    inputs_hash: Mapping[datetime, str]
    checkpoints: Checkpoints = field(default_factory=Checkpoints)


def compute_tiles(store: OfflineStore, view: FeatureView, start: datetime, end: datetime, run_id: str) -> TileReport:
    """Build and store the tiles of the partitions of ``[start, end)``.

    Args:
        store: the offline store.
        view: a view of events.
        start: start of the first partition.
        end: end of the last.
        run_id: of the run that writes.

    Raises:
        MissingTilesError: source partitions of the range have not landed.
    """
    starts = partition_starts(start, end, view.cadence)
    source = store.source(view.source.asset).open()
    inputs = _source_inputs(view, source)
    needed = max(to_microseconds(start), to_microseconds(view.source.start))
    inputs.require(needed, to_microseconds(end), f"{view.full_name}: building tiles")
    # A source partition may be longer than one of the view, and begin before the range.
    whole = from_microseconds(inputs.begin(to_microseconds(start)))
    rows = source.scan(source.between(whole, end))
    tiles = build_stream_tiles(view, rows, start, end) if view.is_stream else build_tiles(view, rows, start, end)
    written = store.tiles(view).write(
        tiles.frame,
        start,
        end,
        run_id=run_id,
        inputs_hash={at: _tile_inputs_hash(view, inputs, at) for at in starts},
        excluded=tiles.excluded,
    )
    return TileReport(written, len(starts), tiles.excluded)


def compute_values(
    store: OfflineStore, view: FeatureView, start: datetime, end: datetime, progress: Progress | None = None
) -> ValueFrame:
    """Compute the values of the partitions of ``[start, end)``, each as of its end, and store nothing.

    Args:
        store: the offline store.
        view: the view.
        start: start of the first partition.
        end: end of the last.
        progress: told after each partition.

    Raises:
        MissingTilesError: tiles (for table views: source partitions) that a window reaches have not landed, or were
            built by an older definition.
    """
    starts = partition_starts(start, end, view.cadence)
    as_ofs = [to_microseconds(at) + view.cadence for at in starts]
    opened = _open_inputs(store, view)
    inputs = _value_inputs(view, opened)
    purpose = f"{view.full_name}: computing values up to as-of {end}"
    inputs.require(reach_start(view, as_ofs[0]), as_ofs[-1], purpose)
    running = RunningState(store, view, inputs, as_ofs[0]) if view.has_all_history else None
    values = _values(view, opened, inputs, as_ofs, running)
    frames: list[pl.DataFrame] = []
    for start_of, as_of, frame in zip(starts, as_ofs, values, strict=True):
        partition = pl.lit(start_of, INSTANT).alias("partition_start")
        frames.append(frame.select(partition, _lit_instant(as_of).alias("as_of"), *view.keys, *view.fingerprints))
        if progress is not None:
            progress(len(frames), len(starts))
    return ValueFrame(
        frame=pl.concat(frames),
        inputs_hash={at: _value_inputs_hash(view, inputs, as_of) for at, as_of in zip(starts, as_ofs, strict=True)},
        checkpoints=running.built() if running else Checkpoints(),
    )


def write_values(
    store: OfflineStore, view: FeatureView, values: ValueFrame, start: datetime, end: datetime, run_id: str
) -> int:
    """Store computed values, and the all-history states that later partitions start from; return the number of rows.

    Args:
        store: the offline store.
        view: the view.
        values: as computed for exactly this range.
        start: start of the first partition.
        end: end of the last.
        run_id: of the run that writes.
    """
    rows = store.values(view).write(values.frame, start, end, run_id=run_id, inputs_hash=values.inputs_hash)
    values.checkpoints.write(store, view, run_id)
    return rows


def stale_partitions(store: OfflineStore, view: FeatureView, start: datetime, end: datetime) -> list[datetime]:
    """Return the starts of partitions of values in ``[start, end)`` that computing them again would change.

    These are partitions that have not landed, and those whose features or inputs are others now.
    """
    starts = partition_starts(start, end, view.cadence)
    inputs = _value_inputs(view, _open_inputs(store, view))
    landed = _landed_inputs(store.values(view).ledger.partitions())
    return [
        at for at in starts if landed.get(at) != _value_inputs_hash(view, inputs, to_microseconds(at) + view.cadence)
    ]


def stale_tiles(store: OfflineStore, view: FeatureView, start: datetime, end: datetime) -> list[datetime]:
    """Return the starts of tile partitions in ``[start, end)`` that building them again would change."""
    starts = partition_starts(start, end, view.cadence)
    inputs = _source_inputs(view, store.source(view.source.asset).open())
    landed = _landed_inputs(store.tiles(view).ledger.partitions())
    return [at for at in starts if landed.get(at) != _tile_inputs_hash(view, inputs, at)]


def _values(
    view: FeatureView, opened: OpenTable, inputs: Inputs, as_ofs: list[int], running: RunningState | None
) -> Iterator[pl.DataFrame]:
    if view.is_table:
        return _table_values(view, opened, inputs, as_ofs)
    return stream_snapshots(view, opened, as_ofs) if view.is_stream else _window_values(view, opened, as_ofs, running)


def _window_values(
    view: FeatureView, tile_table: OpenTable, as_ofs: list[int], running: RunningState | None
) -> Iterator[pl.DataFrame]:
    """Yield the values of each as-of; tiles are read once, sorted by time, and sliced per as-of."""
    first = _lowest_tail(view, as_ofs[0])
    first = first if running is None else min(first, running.first_tile)
    start = from_microseconds(floor_to(first, view.cadence))
    scan = tile_table.scan(tile_table.between(start, from_microseconds(as_ofs[-1])))
    tiles = SortedTiles(scan.drop("partition_start").collect().sort("tile_start", *view.keys))
    for as_of in as_ofs:
        state = None if running is None else running.at(as_of, tiles)
        yield snapshot(view, tiles.between(_lowest_tail(view, as_of), as_of), from_microseconds(as_of), state)


def _lowest_tail(view: FeatureView, as_of: int) -> int:
    return min((window.tail(as_of) for window in view.windows), default=as_of)


def _table_values(view: FeatureView, source: OpenTable, inputs: Inputs, as_ofs: list[int]) -> Iterator[pl.DataFrame]:
    """Yield the values of each as-of; the rows are read once."""
    first = from_microseconds(inputs.begin(reach_start(view, as_ofs[0])))
    scan = source.scan(source.between(first, from_microseconds(as_ofs[-1])))
    rows = scan.select(*view.source.columns).collect().lazy()
    for as_of in as_ofs:
        yield table_snapshot(view, rows, from_microseconds(as_of), from_microseconds(as_of + view.available_after))


def _lit_instant(microseconds: int) -> pl.Expr:
    return pl.lit(from_microseconds(microseconds), INSTANT)


def _open_inputs(store: OfflineStore, view: FeatureView) -> OpenTable:
    return (store.source(view.source.asset) if view.is_table else store.tiles(view)).open()


def _source_inputs(view: FeatureView, source: OpenTable) -> Inputs:
    return inputs_of(f"rows of {view.source.asset}", source.partitions)


def _value_inputs(view: FeatureView, opened: OpenTable) -> Inputs:
    if view.is_table:
        return _source_inputs(view, opened)
    return inputs_of(f"tiles of {view.full_name}", opened.partitions, tile_fingerprints(view))


def _tile_inputs_hash(view: FeatureView, inputs: Inputs, start: datetime) -> str:
    begin = to_microseconds(start)
    return inputs.hash_of(begin, begin + view.cadence, tile_fingerprints(view))


def _value_inputs_hash(view: FeatureView, inputs: Inputs, as_of: int) -> str:
    return inputs.hash_of(reach_start(view, as_of), as_of, view.fingerprints)


def _landed_inputs(partitions: pl.DataFrame) -> dict[datetime, str]:
    return dict(partitions.select("partition_start", "inputs_hash").iter_rows())
