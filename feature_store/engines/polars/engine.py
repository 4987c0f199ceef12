"""The Polars engine: computes in this process, a few days at a time, and stages one file a day."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, Protocol

import polars as pl

from feature_store.engines.engine import AsOfs, HistoryPlan, Staged, StoredRows, Target, TilePlan, ValuePlan
from feature_store.engines.polars.dtypes import TIMESTAMP, polars_dtype
from feature_store.engines.polars.partition_buffer import PartitionBuffer
from feature_store.engines.polars.running_state import RunningState
from feature_store.engines.polars.stream_tiles import build_stream_tiles
from feature_store.engines.polars.stream_values import stream_snapshots, stream_tiles
from feature_store.engines.polars.table_values import table_snapshots
from feature_store.engines.polars.tiles import Tiles, build_tiles
from feature_store.engines.polars.window_values import window_snapshots
from feature_store.model.views import FeatureView
from feature_store.temporal.durations import DAY, WEEK
from feature_store.temporal.instants import from_microseconds, to_microseconds

AT_ONCE: Final = WEEK
"""The span of partitions for which rows are read at once, beside what their windows reach; microseconds."""

Snapshot = tuple[int, pl.DataFrame]
"""Start of a partition, and its rows as they are stored."""


class StoredFrames(Protocol):
    """The questions of the engine to the offline store."""

    def scan(self, rows: StoredRows) -> pl.LazyFrame:
        """Read stored partitions, lazily; in no particular order, with ``partition_start``, arrays as lists."""
        ...

    def stage(
        self, target: Target, frame: pl.DataFrame, starts: Sequence[int], excluded: Mapping[int, int], without_time: int
    ) -> Staged:
        """Write the rows of the partitions of one day to a staged file, and describe them.

        Args:
            target: the table.
            frame: the rows, with ``partition_start``, in any order; may be empty.
            starts: starts of the partitions, ascending.
            excluded: by partition start, source rows left out for want of a key.
            without_time: source rows left out for want of a time.
        """
        ...


@dataclass(frozen=True)
class PolarsEngine:
    """Computes on Polars frames; see ``Engine``.

    Attributes:
        stored: reads and stages.
        at_once: span of the partitions that are computed from one read, microseconds.
    """

    stored: StoredFrames
    at_once: int = AT_ONCE

    @property
    def parts(self) -> int:
        """The number of tasks that write each day: this process is the only one."""
        return 1

    @property
    def shuffle(self) -> None:
        """There is no cluster."""
        return None

    def tiles(self, plan: TilePlan) -> Iterator[Staged]:
        """Build and stage tiles; see ``Engine.tiles``."""
        build = build_stream_tiles if plan.view.is_stream else build_tiles
        for start, end in _spans(plan, self.at_once):
            rows = self.stored.scan(plan.source.overlapping(start, end))
            tiles = build(plan.view, rows, from_microseconds(start), from_microseconds(end))
            yield from self._stage_tiles(plan, tiles, range(start, end, plan.view.cadence))

    def values(self, plan: ValuePlan) -> Iterator[Staged]:
        """Compute and stage values; see ``Engine.values``."""
        values = _Values(plan, self.stored, self.at_once)
        for _, day in groupby(values.snapshots(), key=lambda snapshot: snapshot[0] // DAY):
            starts, frames = zip(*day, strict=True)
            yield self.stored.stage(plan.target, pl.concat(frames), starts, {}, 0)
            yield from values.states
            values.states.clear()

    def _stage_tiles(self, plan: TilePlan, tiles: Tiles, starts: Sequence[int]) -> Iterator[Staged]:
        excluded = {to_microseconds(at): rows for at, rows in tiles.excluded.items()}
        without_time = tiles.without_time
        for _, day in groupby(starts, key=lambda start: start // DAY):
            days = list(day)
            inside = pl.col("partition_start").is_between(from_microseconds(days[0]), from_microseconds(days[-1]))
            yield self.stored.stage(plan.target, tiles.frame.filter(inside), days, excluded, without_time)
            without_time = 0


@dataclass
class _Values:
    """Values partition by partition, and the all-history states that were passed on the way."""

    plan: ValuePlan
    stored: StoredFrames
    at_once: int
    states: list[Staged] = field(default_factory=list[Staged])

    def snapshots(self) -> Iterator[Snapshot]:
        cadence = self.plan.view.cadence
        for as_ofs in self.plan.ranges:
            buffer = PartitionBuffer(self.plan.inputs, lambda rows, view=as_ofs.view: self._scan(view, rows))
            running = None if as_ofs.history is None else self._running(as_ofs.view, as_ofs.history)
            for _, chunk in groupby(as_ofs.instants, key=lambda as_of: (as_of - cadence) // self.at_once):
                instants = list(chunk)
                computed = _snapshots(as_ofs, buffer, instants, running)
                for as_of, frame in zip(instants, computed, strict=True):
                    yield as_of - cadence, _as_stored(self.plan.view, frame, as_of)

    def _scan(self, view: FeatureView, rows: StoredRows) -> pl.LazyFrame:
        scan = self.stored.scan(rows)
        if view.is_table:
            return scan.select("partition_start", *view.source.columns)
        return stream_tiles(view, scan) if view.is_stream else scan

    def _running(self, view: FeatureView, history: HistoryPlan) -> RunningState:
        def keep(at: int, state: pl.DataFrame) -> None:
            start = at - history.span
            frame = state.with_columns(pl.lit(from_microseconds(start), TIMESTAMP).alias("partition_start"))
            self.states.append(self.stored.stage(history.target, frame, [start], {}, 0))

        stored = None if history.stored is None else self.stored.scan(history.stored).drop("partition_start").collect()
        return RunningState(view, history, stored, keep)


def _snapshots(
    as_ofs: AsOfs, buffer: PartitionBuffer, instants: Sequence[int], running: RunningState | None
) -> Iterator[pl.DataFrame]:
    if as_ofs.view.is_table:
        return table_snapshots(as_ofs.view, buffer, instants)
    if as_ofs.view.is_stream:
        return stream_snapshots(as_ofs.view, buffer, instants)
    return window_snapshots(as_ofs.view, buffer, instants, running)


def _as_stored(view: FeatureView, snapshot: pl.DataFrame, as_of: int) -> pl.DataFrame:
    """Return a snapshot with its partition, and null in the place of features that it lacks."""
    nulls = [
        pl.lit(None, polars_dtype(feature.dtype)).alias(feature.name)
        for feature in view.stored_features
        if feature.name not in snapshot.columns
    ]
    times = {"partition_start": as_of - view.cadence, "as_of": as_of}
    instants = [pl.lit(from_microseconds(at), TIMESTAMP).alias(name) for name, at in times.items()]
    return snapshot.with_columns(*instants, *nulls).select(*times, *view.keys, *view.fingerprints)


def _spans(plan: TilePlan, at_once: int) -> Iterator[tuple[int, int]]:
    """Cut a range into whole days, so that every source partition is read for one of the spans only."""
    step = math.lcm(DAY, plan.view.cadence)
    start = plan.start
    while start < plan.end:
        end = (start + max(at_once, step)) // step * step
        while end < plan.end and any(first < end < last for first, last in plan.source.partitions):
            end += step
        yield start, min(end, plan.end)
        start = end
