"""Which tiles a stream row keeps: those that some A not before its ``complete_since`` can count, and no more."""

from __future__ import annotations

import numpy as np

from feature_store.columns import Mask
from feature_store.streams.levels import Instants, floor_to
from feature_store.streams.plan import StreamPlan
from feature_store.streams.tiles import StreamTiles


def is_kept(plan: StreamPlan, tiles: StreamTiles, complete_since: Instants, kept_from: int | None) -> Mask:
    """Return which tiles are kept.

    Args:
        plan: of the view.
        tiles: of any rows.
        complete_since: per row, the first A that can be asked for.
        kept_from: batch tiles own all starts before it; None: there are none yet.
    """
    kept = np.ones(len(tiles), np.bool_) if kept_from is None else tiles.start >= kept_from
    for span in plan.levels:
        of_level = tiles.span == span
        kept[of_level] &= tiles.start[of_level] >= _oldest_starts(plan, span, complete_since)[tiles.row[of_level]]
    return kept


def _oldest_starts(plan: StreamPlan, span: int, as_of: Instants) -> Instants:
    """Return per A the earliest start of a tile of one level that it, or any later A, counts."""
    starts = [floor_to(as_of - window.over, span) for window in plan.windows if window.hop == span]
    longer = [level for level in plan.levels if level > span]
    if longer:
        starts.append(floor_to(as_of, longer[0]))
    return np.minimum.reduce(starts)
