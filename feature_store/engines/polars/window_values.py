"""Values of a view of events at the ends of its partitions, merged from its tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from feature_store.engines.polars.partition_buffer import PartitionBuffer
from feature_store.engines.polars.running_state import RunningState
from feature_store.engines.polars.snapshots import snapshot
from feature_store.engines.polars.sorted_tiles import known_column, sort_tiles
from feature_store.model.views import FeatureView
from feature_store.temporal.instants import from_microseconds


def window_snapshots(
    view: FeatureView, buffer: PartitionBuffer, as_ofs: Sequence[int], running: RunningState | None
) -> Iterator[pl.DataFrame]:
    """Yield the values at each as-of; tiles are read and sorted once.

    Args:
        view: a view of events that is no stream view.
        buffer: its tiles; all that a window reaches have landed.
        as_ofs: ends of partitions, microseconds, ascending.
        running: the state of all history; None, if no aggregation of the view covers it.

    Raises:
        InputError: a sum of integers does not fit Int64.
    """
    first = min((window.tail(as_ofs[0]) for window in view.windows), default=as_ofs[0])
    if running is not None:
        running.advance(as_ofs[0], buffer)
        first = min(first, running.checkpoint)
    rows = buffer.rows(first // view.cadence * view.cadence, as_ofs[-1])
    tiles = sort_tiles(view, rows.drop({"partition_start"} - {known_column(view)}))
    for as_of in as_ofs:
        state = None if running is None else running.at(as_of, tiles)
        yield snapshot(view, tiles, from_microseconds(as_of), state)
