"""States of all-history aggregations, carried forward so that no snapshot reads all tiles there ever were.

The state at an as-of is the state at the checkpoint before it, merged with the tiles since; checkpoints are a fixed
span apart (a whole number of days and of weeks), and each is the one before it merged with the tiles between. So a
state does not depend, to the last bit, on which partitions were computed in which runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from feature_store.engines.engine import HistoryPlan
from feature_store.engines.polars.partition_buffer import PartitionBuffer
from feature_store.engines.polars.snapshots import merge_state
from feature_store.engines.polars.sorted_tiles import SortedTiles, known_column, sort_tiles
from feature_store.model.views import FeatureView

Keep = Callable[[int, pl.DataFrame], None]
"""Takes a checkpoint that was passed, and the state at it."""


class RunningState:
    """The all-history state of a view, for ascending as-ofs.

    Args:
        view: a view with an all-history aggregation.
        history: where it begins.
        state: the stored state there, if there is one.
        keep: called with every checkpoint that is passed.
    """

    def __init__(self, view: FeatureView, history: HistoryPlan, state: pl.DataFrame | None, keep: Keep) -> None:
        self._view = view
        self._span: Final = history.span
        self._keep = keep
        self._state = state
        self.checkpoint = history.at
        """The last one passed: tiles from here on are not in it yet; microseconds."""

    def advance(self, as_of: int, tiles: PartitionBuffer) -> None:
        """Pass all checkpoints up to an as-of, reading no more than the tiles between two of them at once."""
        while self.checkpoint + self._span <= as_of:
            read = tiles.rows(self.checkpoint, self.checkpoint + self._span)
            self._pass(sort_tiles(self._view, read.drop({"partition_start"} - {known_column(self._view)})))

    def at(self, as_of: int, tiles: SortedTiles) -> pl.DataFrame:
        """Return the state at an as-of, not before the one asked for last.

        Args:
            as_of: microseconds.
            tiles: at least those from ``checkpoint`` to the as-of.
        """
        while self.checkpoint + self._span <= as_of:
            self._pass(tiles)
        if self._state is not None and as_of == self.checkpoint:
            return self._state
        return merge_state(self._view, self._state, tiles.known_between(self.checkpoint, as_of))

    def _pass(self, tiles: SortedTiles) -> None:
        following = self.checkpoint + self._span
        self._state = merge_state(self._view, self._state, tiles.known_between(self.checkpoint, following))
        self.checkpoint = following
        self._keep(following, self._state)
