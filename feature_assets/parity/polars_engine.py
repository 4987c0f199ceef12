"""The values of a view as the product computes them from rows in memory: tiles, merged up to an instant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from feature_store import EventSource, FeatureView
from feature_store.codec.stream_tiles import StreamTiles
from feature_store.engines.numpy.stream_merge import merge
from feature_store.engines.polars.columns import to_series
from feature_store.engines.polars.snapshots import merge_state, snapshot
from feature_store.engines.polars.sorted_tiles import sort_tiles
from feature_store.engines.polars.source_rows import known_time
from feature_store.engines.polars.stream_tiles import build_stream_tiles, tile_states
from feature_store.engines.polars.tables import table_snapshot
from feature_store.engines.polars.tiles import build_tiles
from feature_store.offline.materialize.reach import floor_to
from feature_store.oracle.streams import stream_as_of
from feature_store.plans.compile_stream import compile_stream_plan
from feature_store.temporal.instants import from_microseconds, to_microseconds

Keys = tuple[Any, ...]
Snapshot = Mapping[Keys, Mapping[str, Any]]
"""Values by keys of the entities with a counted event."""

_ENTITY = "__entity"


def polars_engine(view: FeatureView, rows: pl.DataFrame, at: datetime) -> Snapshot:
    """Return the values of a view from rows of its source.

    Args:
        view: the view.
        rows: in the declared columns and types.
        at: an as-of; of a stream view any T.
    """
    if view.is_table:
        available_at = from_microseconds(to_microseconds(at) + view.available_after)
        return _by_keys(view, table_snapshot(view, rows.lazy(), at, available_at))
    if view.is_stream:
        return _stream_values(view, rows, at)
    tiles = build_tiles(view, rows.lazy(), *_bounds(view, rows, at)).frame
    before = tiles.filter(pl.col("partition_start") < at)
    state = merge_state(view, None, before) if view.has_all_history else None
    return _by_keys(view, snapshot(view, sort_tiles(view, tiles), at, state))


def _stream_values(view: FeatureView, rows: pl.DataFrame, time: datetime) -> Snapshot:
    plan = compile_stream_plan(view, view.fingerprints)
    as_of = stream_as_of(view, time)
    frame = build_stream_tiles(view, rows.lazy(), *_bounds(view, rows, as_of)).frame
    entities = frame.select(view.keys).unique(maintain_order=True).with_row_index(_ENTITY)
    frame = frame.join(entities, on=view.keys, how="left", maintain_order="left")
    tiles = StreamTiles(
        frame[_ENTITY].cast(pl.Int64).to_numpy(),
        frame["span"].to_numpy(),
        frame["tile_start"].to_physical().to_numpy(),
        tile_states(frame, plan.states),
    )
    merged = merge(plan, tiles, np.full(entities.height, to_microseconds(as_of), np.int64))
    merged.refuse_unfit(plan.view)
    values = {f.name: to_series(merged.values[f.name], f.dtype) for f in view.stored_features}
    return _by_keys(view, entities.with_columns(**values).filter(pl.Series(merged.counted)))


def _bounds(view: FeatureView, rows: pl.DataFrame, as_of: datetime) -> tuple[datetime, datetime]:
    """Return partitions that hold all rows and the as-of."""
    assert isinstance(view.source, EventSource)
    times = rows.select(known_time(view.source)).to_series().drop_nulls().to_physical().to_list()
    ends = [*times, to_microseconds(as_of)]
    start, end = floor_to(min(ends), view.cadence), floor_to(max(ends), view.cadence) + view.cadence
    return from_microseconds(start), from_microseconds(end)


def _by_keys(view: FeatureView, values: pl.DataFrame) -> Snapshot:
    names = [feature.name for feature in view.stored_features]
    return {tuple(row[key] for key in view.keys): {n: row[n] for n in names} for row in values.iter_rows(named=True)}
