"""States of all-history aggregations, carried forward so that no snapshot reads all tiles there ever were.

The state at an as-of is the state at the checkpoint before it, merged with the tiles since; checkpoints are 28 days
apart (a whole number of days and of weeks), and each is the one before it merged with the tiles between. So a state
does not depend, to the last bit, on which partitions were computed in which runs. Checkpoints are stored with a hash of
the contents of all tiles they hold: once an old tile is corrected, those that hold the old one are not used any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from feature_store.engines.polars.snapshots import merge_state
from feature_store.engines.polars.sorted_tiles import SortedTiles
from feature_store.model.views import FeatureView
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.materialize.inputs import Inputs
from feature_store.offline.materialize.reach import floor_to
from feature_store.offline.tables.kinds import CHECKPOINT_SPAN, tile_fingerprints
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import from_microseconds, to_microseconds


@dataclass(frozen=True)
class Checkpoints:
    """Checkpoints that were not stored yet, or no longer right.

    Attributes:
        view: whose states they are; maybe with some of its features only.
        states: by as-of in microseconds, keys and state columns; as-ofs are contiguous.
        hashes: by as-of, hash of the tiles that the state holds.
    """

    view: FeatureView
    states: Mapping[int, pl.DataFrame]
    hashes: Mapping[int, str]

    def write(self, store: OfflineStore, run_id: str) -> None:
        """Store them."""
        if not self.states:
            return
        starts = {at: from_microseconds(at - CHECKPOINT_SPAN) for at in self.states}
        frames = [
            state.with_columns(pl.lit(starts[at], INSTANT).alias("partition_start"))
            for at, state in self.states.items()
        ]
        hashes = {starts[at]: self.hashes[at] for at in self.states}
        end = from_microseconds(max(self.states))
        store.state(self.view).write(pl.concat(frames), min(starts.values()), end, run_id=run_id, inputs_hash=hashes)


class RunningState:
    """The all-history state of a view, for ascending as-ofs.

    Args:
        store: the offline store.
        view: a view with an all-history aggregation.
        inputs: the landed tile partitions.
        as_of: the first as-of that is asked for, microseconds.
    """

    def __init__(self, store: OfflineStore, view: FeatureView, inputs: Inputs, as_of: int) -> None:
        self._view = view
        self._inputs = inputs
        self._source_start = to_microseconds(view.source.start)
        self._built: dict[int, pl.DataFrame] = {}
        self._checkpoint, self._state = self._newest_stored(store, floor_to(as_of, CHECKPOINT_SPAN))
        self.first_tile: Final = self._checkpoint
        """Start of the first tile that is not in the state yet, microseconds."""

    def at(self, as_of: int, tiles: SortedTiles) -> pl.DataFrame:
        """Return the state at an as-of, not before the one asked for last.

        Args:
            as_of: microseconds.
            tiles: at least those from ``first_tile`` to the as-of.
        """
        for checkpoint in range(self._checkpoint + CHECKPOINT_SPAN, as_of + 1, CHECKPOINT_SPAN):
            self._state = merge_state(self._view, self._state, tiles.known_between(self._checkpoint, checkpoint))
            self._checkpoint = checkpoint
            self._built[checkpoint] = self._state
        if self._state is not None and as_of == self._checkpoint:
            return self._state
        return merge_state(self._view, self._state, tiles.known_between(self._checkpoint, as_of))

    def built(self) -> Checkpoints:
        """Return the checkpoints passed so far that were not in the store."""
        return Checkpoints(self._view, self._built, {at: self._hash(at) for at in self._built})

    def _newest_stored(self, store: OfflineStore, latest: int) -> tuple[int, pl.DataFrame | None]:
        opened = store.state(self._view).open()
        for state in opened.between(None, from_microseconds(latest)).reverse().iter_slices(1):
            at = to_microseconds(state["as_of"][0])
            if state["inputs_hash"][0] == self._hash(at):
                return at, opened.scan(state).drop("partition_start").collect()
        return floor_to(self._source_start, CHECKPOINT_SPAN), None

    def _hash(self, as_of: int) -> str:
        return self._inputs.hash_of(self._source_start, as_of, ["state", tile_fingerprints(self._view)])
