"""Computing what a view stores: tiles from its source, values from its tiles (or, for table views, from its source)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import polars as pl

from feature_store.arguments import checked
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.engines.polars.stream_tiles import build_stream_tiles
from feature_store.engines.polars.tiles import build_tiles
from feature_store.model.sources import EventSource
from feature_store.model.views import FeatureView
from feature_store.offline.delta.instants import INSTANT, partition_starts
from feature_store.offline.materialize.all_history import Checkpoints, RunningState
from feature_store.offline.materialize.inputs import Inputs
from feature_store.offline.materialize.stream_values import stream_snapshots
from feature_store.offline.materialize.table_values import table_snapshots
from feature_store.offline.materialize.value_inputs import ValueInputs, source_inputs
from feature_store.offline.materialize.window_values import window_snapshots
from feature_store.offline.tables.kinds import check_layout, tile_fingerprints
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import from_microseconds, to_microseconds

Progress = Callable[[int, int], None]
"""Called with the number of partitions done and of all."""


@dataclass(frozen=True)
class TileReport:
    """What building tiles did.

    Attributes:
        rows: tiles written.
        partitions: partitions written.
        excluded: source rows without a key, by partition start.
        without_time: source rows without a time (or ``known_at``), which are of no partition; some may never have
            landed.
    """

    rows: int
    partitions: int
    excluded: Mapping[datetime, int]
    without_time: int


@dataclass(frozen=True)
class ValueFrame:
    """Computed values of some partitions, not yet stored.

    Attributes:
        frame: ``partition_start, as_of``, keys and stored features.
        inputs_hash: by partition start, hash of everything the values were computed from.
        lacking: by partition start, the features that could not be computed; partitions with all are not listed.
        warnings: why not, and what to do.
        checkpoints: all-history states to be stored with them.
    """

    frame: pl.DataFrame
    inputs_hash: Mapping[datetime, str]
    lacking: Mapping[datetime, frozenset[str]]
    warnings: tuple[str, ...] = ()
    checkpoints: tuple[Checkpoints, ...] = ()


@checked
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
        FingerprintError: they were landed by a source that declared another ``known_at``.
    """
    starts = partition_starts(start, end, view.cadence)
    source = store.source(view.source.asset).open()
    inputs = source_inputs(view, source)
    needed = max(to_microseconds(start), to_microseconds(view.source.start))
    inputs.require(needed, to_microseconds(end), f"{view.full_name}: building tiles")
    # A source partition may be longer than one of the view, and begin before the range.
    whole = from_microseconds(inputs.begin(to_microseconds(start)))
    read = source.between(whole, end)
    assert isinstance(view.source, EventSource)
    check_layout(view.source, read)
    rows = source.scan(read)
    tiles = build_stream_tiles(view, rows, start, end) if view.is_stream else build_tiles(view, rows, start, end)
    written = store.tiles(view).write(
        tiles.frame,
        start,
        end,
        run_id=run_id,
        inputs_hash={at: _tile_inputs_hash(view, inputs, at) for at in starts},
        excluded=tiles.excluded,
    )
    return TileReport(written, len(starts), tiles.excluded, tiles.without_time + int(read["excluded"].sum()))


@checked
def compute_values(
    store: OfflineStore, view: FeatureView, start: datetime, end: datetime, progress: Progress | None = None
) -> ValueFrame:
    """Compute the values of the partitions of ``[start, end)``, each as of its end, and store nothing.

    A feature that was added after the tiles of its window were built is left out of the partitions that need them.

    Args:
        store: the offline store.
        view: the view.
        start: start of the first partition.
        end: end of the last.
        progress: called after each partition.

    Raises:
        MissingTilesError: tiles (for table views: source partitions) that a window reaches have not landed, or no
            feature can be computed from those that have.
    """
    starts = partition_starts(start, end, view.cadence)
    as_ofs = [to_microseconds(at) + view.cadence for at in starts]
    inputs = ValueInputs.of(store, view)
    inputs.require(as_ofs)
    frames: list[pl.DataFrame] = []
    checkpoints: list[Checkpoints] = []
    for computed, group in groupby(as_ofs, inputs.computable.view_at):
        group_as_ofs = list(group)
        running = RunningState(store, computed, inputs.landed, group_as_ofs[0]) if computed.has_all_history else None
        snapshots = _snapshots(computed, inputs, group_as_ofs, running)
        for as_of, frame in zip(group_as_ofs, snapshots, strict=True):
            frames.append(_as_stored(view, frame, as_of))
            if progress is not None:
                progress(len(frames), len(starts))
        checkpoints += [] if running is None else [running.built()]
    lacking = {at: inputs.computable.lacking(as_of) for at, as_of in zip(starts, as_ofs, strict=True)}
    return ValueFrame(
        frame=pl.concat(frames),
        inputs_hash={at: inputs.hash_at(as_of) for at, as_of in zip(starts, as_ofs, strict=True)},
        lacking={at: names for at, names in lacking.items() if names},
        warnings=tuple(dict.fromkeys(reason for as_of in as_ofs for reason in inputs.computable.reasons(as_of))),
        checkpoints=tuple(checkpoints),
    )


@checked
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
    rows = store.values(view).write(
        values.frame, start, end, run_id=run_id, inputs_hash=values.inputs_hash, lacking=values.lacking
    )
    for checkpoints in values.checkpoints:
        checkpoints.write(store, run_id)
    return rows


@checked
def stale_partitions(store: OfflineStore, view: FeatureView, start: datetime, end: datetime) -> list[datetime]:
    """Return the starts of partitions of values in ``[start, end)`` that computing them again would change.

    These are partitions that have not landed, and those whose features or inputs are others now.
    """
    starts = partition_starts(start, end, view.cadence)
    inputs = ValueInputs.of(store, view)
    landed = _landed_inputs(store.values(view).ledger.partitions())
    return [at for at in starts if landed.get(at) != inputs.hash_at(to_microseconds(at) + view.cadence)]


@checked
def stale_tiles(store: OfflineStore, view: FeatureView, start: datetime, end: datetime) -> list[datetime]:
    """Return the starts of tile partitions in ``[start, end)`` that building them again would change."""
    starts = partition_starts(start, end, view.cadence)
    inputs = source_inputs(view, store.source(view.source.asset).open())
    landed = _landed_inputs(store.tiles(view).ledger.partitions())
    return [at for at in starts if landed.get(at) != _tile_inputs_hash(view, inputs, at)]


def _snapshots(
    view: FeatureView, inputs: ValueInputs, as_ofs: Sequence[int], running: RunningState | None
) -> Iterator[pl.DataFrame]:
    if view.is_table:
        return table_snapshots(view, inputs.opened, inputs.landed, as_ofs)
    if view.is_stream:
        return stream_snapshots(view, inputs.opened, as_ofs)
    return window_snapshots(view, inputs.opened, as_ofs, running)


def _as_stored(view: FeatureView, snapshot: pl.DataFrame, as_of: int) -> pl.DataFrame:
    """Return a snapshot with its partition, and null in the place of features that it lacks."""
    nulls = [
        pl.lit(None, polars_dtype(feature.dtype)).alias(feature.name)
        for feature in view.stored_features
        if feature.name not in snapshot.columns
    ]
    times = {"partition_start": as_of - view.cadence, "as_of": as_of}
    instants = [pl.lit(from_microseconds(at), INSTANT).alias(name) for name, at in times.items()]
    return snapshot.with_columns(*instants, *nulls).select(*times, *view.keys, *view.fingerprints)


def _tile_inputs_hash(view: FeatureView, inputs: Inputs, start: datetime) -> str:
    begin = to_microseconds(start)
    return inputs.hash_of(begin, begin + view.cadence, tile_fingerprints(view))


def _landed_inputs(partitions: pl.DataFrame) -> dict[datetime, str]:
    return dict(partitions.select("partition_start", "inputs_hash").iter_rows())
