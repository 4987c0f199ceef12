"""Reading a stream view at arbitrary T: the tiles of every spine row, found by search and merged as online."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from feature_store.codec.stream_tiles import StreamTiles, concat_tiles, no_tiles
from feature_store.columns import Column, Mask
from feature_store.dtypes import dtype_from_name
from feature_store.engines.numpy.restrict_plan import used_fields
from feature_store.engines.numpy.stream_merge import Merged, merge
from feature_store.engines.polars.columns import to_series
from feature_store.engines.polars.states import state_dtype
from feature_store.engines.polars.stream_tiles import tile_states
from feature_store.model.states import State
from feature_store.offline.join.coverage import Instants
from feature_store.offline.join.spines import FOUND, Spine, unfit_column
from feature_store.offline.join.stream_choice import OpenStream, StreamChoice
from feature_store.plans.service_plan import PlanView
from feature_store.plans.stream_plan import StreamPlan
from feature_store.temporal.durations import SECOND
from feature_store.temporal.instants import from_microseconds
from feature_store.temporal.tile_levels import bounds

_TILES_AT_ONCE: Final = 1_000_000
"""About how many tiles are merged at once; one that several rows need counts for each."""

_ENTITY: Final = "__entity"


def read_stream(
    opened: OpenStream, view: PlanView, plan: StreamPlan, choice: StreamChoice, spine: Spine
) -> pl.DataFrame:
    """Return the stored features per spine row, whether the entity has any counted event, and which sums do not fit.

    Args:
        opened: what is kept of the view.
        view: the view as the service reads it.
        plan: its stream plan.
        choice: what each row may see.
        spine: the rows.
    """
    entity, entities = _entities(view, choice, spine)
    needed = _Needed.of(plan, choice.head)
    read = _read_tiles(opened, view, plan, choice, needed, entities)
    found = [_Found.of(plan, tiles, entity, needed) for tiles in read]
    merged = [_merge_rows(plan, choice, found, rows) for rows in _portions(found, len(entity))]
    frame = {FOUND: pl.Series(_is_counted(choice, merged))}
    for feature in view.features:
        columns = [part.values[feature.name] for part in merged]
        valid = np.concatenate([column.valid for column in columns])
        known = choice.is_read & ~choice.lacking[feature.name]
        if any(feature.name in part.unfit for part in merged):
            unfit = known & np.concatenate([part.is_unfit(feature.name) for part in merged])
            frame[unfit_column(feature.name)] = pl.Series(unfit)
            known &= ~unfit
        valid &= known if valid.ndim == 1 else known[:, None]
        values = Column(np.concatenate([column.values for column in columns]), valid)
        frame[feature.name] = to_series(values, dtype_from_name(feature.dtype))
    return pl.DataFrame(frame)


def _is_counted(choice: StreamChoice, merged: Sequence[Merged]) -> Mask:
    """Return whether a row has a counted event in any window of which everything is known."""
    counts = [
        np.concatenate([part.counts[count] for part in merged]) & ~rows for count, rows in choice.uncounted.items()
    ]
    return np.logical_or.reduce(counts)


def _entities(view: PlanView, choice: StreamChoice, spine: Spine) -> tuple[Instants, pl.DataFrame]:
    """Return the number of each row's entity (-1: no key, or nothing is read), and the entities by number."""
    keys = spine.frame.select(pl.col(key.column).alias(key.name) for key in view.keys)
    entities = keys.filter(pl.Series(choice.is_read)).drop_nulls().unique(maintain_order=True).with_row_index(_ENTITY)
    numbers = keys.join(entities, on=keys.columns, how="left", maintain_order="left")[_ENTITY]
    return np.where(choice.is_read, numbers.cast(pl.Int64).fill_null(-1).to_numpy(), -1), entities


@dataclass(frozen=True)
class _Needed:
    """From where (inclusive) to where (exclusive) tiles start that any window counts: per level, per row."""

    low: list[Instants]
    high: list[Instants]

    @staticmethod
    def of(plan: StreamPlan, head: Instants) -> _Needed:
        low: list[Instants] = [head for _ in plan.levels]
        high = list(low)
        for window in plan.windows:
            for level, (first, last) in enumerate(bounds(plan.levels, window, head)):
                low[level], high[level] = np.minimum(low[level], first), last
        return _Needed(low, high)


@dataclass(frozen=True)
class _Found:
    """Tiles of one source, sorted by entity, span and start, and the range of them for each level and row."""

    tiles: StreamTiles
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]

    @staticmethod
    def of(plan: StreamPlan, tiles: StreamTiles, entity: Instants, needed: _Needed) -> _Found:
        first = np.zeros((len(entity), len(plan.levels)), np.int64)
        last = first.copy()
        if len(tiles):
            tiles = tiles.in_order(plan.levels)
            origin = int(tiles.start.min())
            seconds = (int(tiles.start.max()) - origin) // SECOND + 1

            def key(number: Instants, level: Instants | int, start: Instants) -> Instants:
                within = np.clip((start - origin) // SECOND, 0, seconds)
                return (number * len(plan.levels) + level) * (seconds + 1) + within

            keys = key(tiles.row, np.searchsorted(plan.levels, tiles.span), tiles.start)
            order = np.argsort(entity, kind="stable")  # searching neighbours one after the other is faster
            for level in range(len(plan.levels)):
                for edge, start in ((first, needed.low[level]), (last, needed.high[level])):
                    edge[order, level] = np.searchsorted(keys, key(entity[order], level, start[order]))
            last[entity < 0] = first[entity < 0]
        return _Found(tiles, first, last)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        return self.last - self.first

    def of_rows(self, rows: slice) -> StreamTiles:
        """Return the tiles of some rows, which are numbered from 0."""
        counts = self.counts[rows].reshape(-1)
        before = np.cumsum(counts) - counts
        place = np.repeat(self.first[rows].reshape(-1) - before, counts) + np.arange(int(counts.sum()))
        levels = self.first.shape[1]
        found = self.tiles.take(place)
        return replace(found, row=np.repeat(np.arange(len(counts)) // levels, counts))


def _read_tiles(
    opened: OpenStream, view: PlanView, plan: StreamPlan, choice: StreamChoice, needed: _Needed, entities: pl.DataFrame
) -> list[StreamTiles]:
    """Return the batch tiles and the stream's that may be needed; their row is the number of the entity."""
    fields = used_fields(plan)
    states = [state for state in plan.states if state.fields[0].name in fields]
    if entities.is_empty():
        return [no_tiles(states), no_tiles(states)]
    start = from_microseconds(min(int(low[choice.is_read].min()) for low in needed.low))
    end = from_microseconds(int(choice.head[choice.is_read].max()))
    keys = [key.name for key in view.keys]
    partitions = opened.tiles.partitions.filter(pl.col("as_of") > start, pl.col("partition_start") < end)
    scans = [
        opened.tiles.scan(partitions) if partitions.height else None,
        opened.copy.scan(choice.writes, keys, start, end),
    ]
    return [no_tiles(states) if scan is None else _collect(scan, keys, plan, states, entities) for scan in scans]


def _collect(
    scan: pl.LazyFrame, keys: list[str], plan: StreamPlan, states: Sequence[State], entities: pl.DataFrame
) -> StreamTiles:
    stored = scan.collect_schema().names()
    columns = [
        pl.col(state.column) if state.column in stored else pl.lit(None, state_dtype(state)).alias(state.column)
        for state in states
    ]
    tiles = (
        scan.filter(pl.col("span").is_in(plan.levels))  # features that the plan does not know may have brought others
        .select(*keys, "span", "tile_start", *columns)
        .join(entities.lazy(), on=keys, how="inner")
        .collect(engine="in-memory")
    )
    row = tiles[_ENTITY].cast(pl.Int64).to_numpy()
    return StreamTiles(
        row, tiles["span"].to_numpy(), tiles["tile_start"].to_physical().to_numpy(), tile_states(tiles, states)
    )


def _portions(found: Sequence[_Found], count: int) -> Iterator[slice]:
    """Yield slices of the rows that need about as many tiles as are merged at once."""
    tiles = np.zeros(count, np.int64)
    for source in found:
        tiles += source.counts.sum(axis=1)
    portion = np.cumsum(tiles) // _TILES_AT_ONCE
    edges = [0, *(np.flatnonzero(np.diff(portion)) + 1).tolist(), count]
    return (slice(start, end) for start, end in pairwise(edges))


def _merge_rows(plan: StreamPlan, choice: StreamChoice, found: Sequence[_Found], rows: slice) -> Merged:
    batch, stream = (source.of_rows(rows) for source in found)
    batch = batch.take(~choice.is_streams(batch.row + rows.start, batch.start))
    stream = stream.take(choice.is_streams(stream.row + rows.start, stream.start))
    return merge(plan, concat_tiles([batch, stream]), choice.head[rows])
