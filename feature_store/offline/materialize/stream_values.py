"""Values of a stream view at the ends of its partitions, by the merge that answers requests: what can be looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import polars as pl

from feature_store.codec.stream_tiles import StreamTiles
from feature_store.engines.numpy.stream_merge import merge
from feature_store.engines.polars.columns import to_series
from feature_store.engines.polars.groups import GROUP, heads, number_groups
from feature_store.engines.polars.stream_tiles import tile_states
from feature_store.model.views import FeatureView
from feature_store.offline.tables.open_table import OpenTable
from feature_store.plans.compile_stream import compile_stream_plan
from feature_store.plans.stream_plan import StreamPlan
from feature_store.temporal.instants import from_microseconds
from feature_store.temporal.tile_levels import oldest_start

_AT: Final = pl.col("tile_start").to_physical()


def stream_snapshots(view: FeatureView, tiles: OpenTable, as_ofs: Sequence[int]) -> Iterator[pl.DataFrame]:
    """Yield keys and stored features at each as-of, of every entity with a counted event, sorted by the keys.

    Args:
        view: a stream view.
        tiles: its batch tiles; all that a window reaches have landed.
        as_ofs: ends of partitions, microseconds, ascending.

    Raises:
        InputError: a sum of integers does not fit Int64.
    """
    plan = compile_stream_plan(view, view.fingerprints)
    first = min(oldest_start(plan.levels, plan.windows, span, as_ofs[0]) for span in plan.levels)
    start = from_microseconds(first // plan.cadence * plan.cadence)
    # At the end of a partition every window consists of tiles of its own hop.
    hops = pl.col("span").is_in([window.hop for window in plan.windows])
    columns = [*view.keys, "span", "tile_start", *(state.column for state in plan.states)]
    scan = tiles.scan(tiles.between(start, from_microseconds(as_ofs[-1])))
    frame = scan.filter(hops).select(columns).collect().sort(view.keys)
    for as_of in as_ofs:
        yield _snapshot(view, plan, frame, as_of)


def _snapshot(view: FeatureView, plan: StreamPlan, tiles: pl.DataFrame, as_of: int) -> pl.DataFrame:
    oldest = {span: oldest_start(plan.levels, plan.windows, span, as_of) for span in plan.levels}
    reached = pl.any_horizontal((pl.col("span") == span) & (start <= _AT) for span, start in oldest.items())
    numbered = number_groups(tiles.filter(reached, as_of > _AT), view.keys)
    entities = heads(numbered).select(view.keys)
    merged = merge(
        plan,
        StreamTiles(
            numbered[GROUP].to_numpy(),
            numbered["span"].to_numpy(),
            numbered["tile_start"].to_physical().to_numpy(),
            tile_states(numbered, plan.states),
        ),
        np.full(entities.height, as_of, np.int64),
    )
    merged.refuse_unfit(plan.view)
    values = {f.name: to_series(merged.values[f.name], f.dtype) for f in view.stored_features}
    return entities.with_columns(**values).filter(pl.Series(merged.counted, dtype=pl.Boolean))
