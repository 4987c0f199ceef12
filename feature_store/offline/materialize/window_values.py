"""Values of a view of events at the ends of its partitions, merged from its tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from feature_store.engines.polars.snapshots import snapshot
from feature_store.engines.polars.sorted_tiles import known_column, sort_tiles
from feature_store.model.views import FeatureView
from feature_store.offline.materialize.all_history import RunningState
from feature_store.offline.materialize.reach import floor_to
from feature_store.offline.tables.open_table import OpenTable
from feature_store.temporal.instants import from_microseconds


def window_snapshots(
    view: FeatureView, tile_table: OpenTable, as_ofs: Sequence[int], running: RunningState | None
) -> Iterator[pl.DataFrame]:
    """Yield the values at each as-of; tiles are read and sorted once.

    Args:
        view: a view of events that is no stream view.
        tile_table: its tiles; all that a window reaches have landed.
        as_ofs: ends of partitions, microseconds, ascending.
        running: the state of all history; None, if no aggregation of the view covers it.

    Raises:
        InputError: a sum of integers does not fit Int64.
    """
    first = _lowest_tail(view, as_ofs[0])
    first = first if running is None else min(first, running.first_tile)
    start = from_microseconds(floor_to(first, view.cadence))
    scan = tile_table.scan(tile_table.between(start, from_microseconds(as_ofs[-1])))
    unread = {"partition_start"} - {known_column(view)}
    tiles = sort_tiles(view, scan.drop(unread).collect())
    for as_of in as_ofs:
        state = None if running is None else running.at(as_of, tiles)
        yield snapshot(view, tiles, from_microseconds(as_of), state)


def _lowest_tail(view: FeatureView, as_of: int) -> int:
    return min((window.tail(as_of) for window in view.windows), default=as_of)
