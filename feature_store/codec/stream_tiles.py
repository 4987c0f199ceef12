"""Tiles of many rows at once, as both the offline join and the online read hand them to the merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from feature_store.columns import Array, Column
from feature_store.dtypes import dtype_from_name
from feature_store.model.states import State
from feature_store.temporal.durations import SECOND
from feature_store.temporal.tile_levels import Instants, level_of


@dataclass(frozen=True)
class StreamTiles:
    """Tiles of the rows that are asked for: entities of a request, rows of a spine.

    Attributes:
        row: int64, the row that a tile belongs to, from 0; in any order. A row has a tile of one span and start once.
        span: int64 microseconds, one of the view's levels.
        start: int64 microseconds since the Unix epoch, a multiple of the span.
        states: by field of a state (``n_ab12cd34``, ``last_ab12cd34.time``, see ``State``), a value per tile.
    """

    row: Instants
    span: Instants
    start: Instants
    states: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, chosen: Array) -> StreamTiles:
        """Return some tiles, by index or mask."""
        states = {name: Column(state.values[chosen], state.valid[chosen]) for name, state in self.states.items()}
        return StreamTiles(self.row[chosen], self.span[chosen], self.start[chosen], states)

    def in_order(self, levels: Sequence[int]) -> StreamTiles:
        """Return the tiles sorted by row, span and start: the order in which they are merged, whoever gives them.

        Args:
            levels: of the view, ascending.
        """
        order = self._order(levels)
        return self if order is None else self.take(order)

    def _order(self, levels: Sequence[int]) -> Array | None:
        if len(self) < 2:
            return None
        # One integer per tile sorts faster than three; every start is a whole second.
        second = self.start // SECOND
        second -= second.min()
        key = (self.row * len(levels) + level_of(levels, self.span)) * (int(second.max()) + 1) + second
        return None if bool((key[1:] > key[:-1]).all()) else np.argsort(key, kind="stable")


def no_tiles(states: Sequence[State]) -> StreamTiles:
    """Return no tiles, of these states."""
    none = np.zeros(0, np.int64)
    fields = {field.name: np.dtype(dtype_from_name(field.dtype).numpy) for state in states for field in state.fields}
    columns = {name: Column(np.zeros(0, dtype), np.zeros(0, np.bool_)) for name, dtype in fields.items()}
    return StreamTiles(none, none, none, columns)


def concat_tiles(parts: Sequence[StreamTiles]) -> StreamTiles:
    """Return the tiles of several sources; at least one part, all with the same states."""
    return StreamTiles(
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.span for part in parts]),
        np.concatenate([part.start for part in parts]),
        {
            name: Column(
                np.concatenate([part.states[name].values for part in parts]),
                np.concatenate([part.states[name].valid for part in parts]),
            )
            for name in parts[0].states
        },
    )
