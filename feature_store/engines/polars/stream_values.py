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
from feature_store.engines.polars.partition_buffer import PartitionBuffer
from feature_store.engines.polars.stream_tiles import tile_states
from feature_store.model.views import FeatureView
from feature_store.plans.compile_stream import compile_stream_plan
from feature_store.plans.stream_plan import StreamPlan
from feature_store.temporal.tile_levels import oldest_start

_AT: Final = pl.col("tile_start").to_physical()


def stream_tiles(view: FeatureView, tiles: pl.LazyFrame) -> pl.LazyFrame:
    """Select what the ends of partitions are computed from: there every window consists of tiles of its own hop."""
    plan = compile_stream_plan(view, view.fingerprints)
    hops = pl.col("span").is_in([window.hop for window in plan.windows])
    states = [state.column for state in plan.states]
    return tiles.filter(hops).select("partition_start", *view.keys, "span", "tile_start", *states)


def stream_snapshots(view: FeatureView, buffer: PartitionBuffer, as_ofs: Sequence[int]) -> Iterator[pl.DataFrame]:
    """Yield keys and stored features at each as-of, of every entity with a counted event, sorted by the keys.

    Args:
        view: a stream view.
        buffer: its batch tiles, as ``stream_tiles`` selects them; all that a window reaches have landed.
        as_ofs: ends of partitions, microseconds, ascending.

    Raises:
        InputError: a sum of integers does not fit Int64.
    """
    plan = compile_stream_plan(view, view.fingerprints)
    first = min(oldest_start(plan.levels, plan.windows, span, as_ofs[0]) for span in plan.levels)
    frame = buffer.rows(first // plan.cadence * plan.cadence, as_ofs[-1]).sort(view.keys)
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
