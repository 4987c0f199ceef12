"""The tiles that a stream row keeps: those that some A not before its ``complete_since`` can count, and no more."""

from __future__ import annotations

from typing import Final

import numpy as np

from feature_store.codec.stream_tiles import StreamTiles
from feature_store.columns import Mask
from feature_store.plans.stream_plan import StreamPlan
from feature_store.temporal.durations import DAY
from feature_store.temporal.tile_levels import Instants, oldest_starts

KEPT_PAST: Final = 2 * DAY
"""The time before the oldest live as-of for which tiles are kept."""


def first_kept(plan: StreamPlan, oldest_live: int | None) -> int | None:
    """Return the start of the first tiles that are kept; None: no batch tiles own any time yet.

    Args:
        plan: of the view.
        oldest_live: the earliest as-of of its generations, microseconds; None: there are none.
    """
    longest = plan.levels[-1]
    return None if oldest_live is None else (oldest_live - KEPT_PAST) // longest * longest


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
        oldest = oldest_starts(plan.levels, plan.windows, span, complete_since)
        kept[of_level] &= tiles.start[of_level] >= oldest[tiles.row[of_level]]
    return kept
