"""The merge of the states of several tiles into one, part by part, for all rows at once.

Every function takes the tiles that a window counts, sorted by row, and gives one merged state per row. Floats are added
up in the order of the tiles, so that equal tiles give equal floats to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from feature_store.codec.byte_strings import from_list
from feature_store.codec.stream_tiles import StreamTiles
from feature_store.columns import Column, Mask
from feature_store.engines.numpy.segments import Segments, sum_integers
from feature_store.model.states import State
from feature_store.plans.stream_plan import StreamPlan
from feature_store.sketches import theta
from feature_store.temporal.tile_levels import Instants


@dataclass(frozen=True)
class WindowTiles:
    """The tiles that one window counts.

    Attributes:
        plan: of the view.
        tiles: of all windows, in the order of ``StreamTiles.in_order``.
        chosen: places of those that the window counts, ascending.
        as_of: A per row.
    """

    plan: StreamPlan
    tiles: StreamTiles
    chosen: npt.NDArray[np.int64]
    as_of: Instants
    _fields: dict[str, Column] = field(default_factory=dict[str, Column])

    @cached_property
    def row(self) -> Instants:
        """The row of each tile."""
        return self.tiles.row[self.chosen]

    def field(self, name: str) -> Column:
        """Return a field of a state, per tile."""
        if name not in self._fields:
            column = self.tiles.states[name]
            self._fields[name] = Column(column.values[self.chosen], column.valid[self.chosen])
        return self._fields[name]

    def segments(self, present: Mask) -> Segments:
        """Return the segments of the tiles for which ``present`` is true."""
        return self._segments_of_all if present.all() else Segments.of(self.row[present], len(self.as_of))

    @cached_property
    def _segments_of_all(self) -> Segments:
        return Segments.of(self.row, len(self.as_of))

    def counted(self, state: State) -> tuple[npt.NDArray[np.int64], Mask]:
        """Return how many inputs of a state each tile holds, and whether any."""
        n = self.field(f"n_{state.column.rpartition('_')[2]}").values
        return n, n > 0


def merge_part(tiles: WindowTiles, state: State) -> Column:
    """Return one state merged over a window, per row; null where nothing was counted, 0 for counts.

    A sum of integers that does not fit Int64 is null too.

    States with times are given as they are at A, those that are counted as their number; see ``kinds.PARTS``.

    Args:
        tiles: what the window counts.
        state: which state.
    """
    return PARTS[state.part](tiles, state)


def _count(tiles: WindowTiles, state: State) -> Column:
    n, present = tiles.counted(state)
    segments = tiles.segments(present)
    counts = segments.scatter(segments.reduce(np.add, n[present]), 0)
    return Column(counts, np.ones(len(counts), np.bool_))


def _sum(tiles: WindowTiles, state: State) -> Column:
    _n, present = tiles.counted(state)
    segments = tiles.segments(present)
    values = tiles.field(state.column).values[present]
    if values.dtype.kind == "f":
        return _by_row(segments, segments.reduce(np.add, values))
    sums, fits = sum_integers(segments, values)
    return Column(segments.scatter(sums, 0), segments.scatter(fits, fill=False))


def _mean(tiles: WindowTiles, state: State) -> Column:
    n, present = tiles.counted(state)
    segments = tiles.segments(present)
    return _by_row(segments, _means(segments, n[present], tiles.field(state.column).values[present]))


def _m2(tiles: WindowTiles, state: State) -> Column:
    """Merge sums of squared distances: of each tile's own, plus that of its mean from the mean of all."""
    around = _Around.of(tiles, state)
    with np.errstate(over="ignore", invalid="ignore"):
        return _by_row(around.segments, around.squares())


def _m3(tiles: WindowTiles, state: State) -> Column:
    """Merge sums of cubed distances (Pebay 2008), moved to the true mean by how far distances do not cancel out."""
    around = _Around.of(tiles, state)
    segments, n, distance = around.segments, around.n, around.distance
    with np.errstate(over="ignore", invalid="ignore"):
        own = tiles.field(state.column).values[around.present] + 3.0 * distance * around.spread
        cubes = segments.reduce(np.add, own + n * distance * distance * distance)
        total = segments.reduce(np.add, n)
        off = segments.reduce(np.add, n * distance) / total
        return _by_row(segments, cubes - 3.0 * off * around.squares() + 2.0 * total * off * off * off)


@dataclass(frozen=True)
class _Around:
    """Tiles with inputs of one digest, and how far their means lie from the mean of all, row by row."""

    present: Mask
    segments: Segments
    n: npt.NDArray[np.int64]
    distance: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]

    @staticmethod
    def of(tiles: WindowTiles, state: State) -> _Around:
        n, present = tiles.counted(state)
        n, segments = n[present], tiles.segments(present)
        means, spread = (tiles.field(state.sibling(part)).values[present] for part in ("mean", "m2"))
        with np.errstate(over="ignore", invalid="ignore"):
            distance = means - segments.repeat(_means(segments, n, means))
        return _Around(present, segments, n, distance, spread)

    def squares(self) -> npt.NDArray[np.float64]:
        return self.segments.reduce(np.add, self.spread + self.n * self.distance**2)


def _means(segments: Segments, n: npt.NDArray[np.int64], means: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):
        return segments.reduce(np.add, n * means) / segments.reduce(np.add, n)


def _decayed(tiles: WindowTiles, state: State) -> Column:
    """Bring the sum of every tile, as it was at its newest event, to A, and add up."""
    assert state.parameter is not None
    value = tiles.field(f"{state.column}.value")
    present = value.valid
    age = tiles.as_of[tiles.row[present]] - tiles.field(f"{state.column}.time").values[present]
    segments = tiles.segments(present)
    with np.errstate(invalid="ignore"):  # a sum that is infinite for ever
        weighed = value.values[present] * np.exp2(-(age / state.parameter))
    return _by_row(segments, segments.reduce(np.add, weighed))


def _theta(tiles: WindowTiles, state: State) -> Column:
    """Unite sketches, and give the number of distinct values."""
    sketches = tiles.field(state.column)
    segments = tiles.segments(sketches.valid)
    decoded = theta.decode(from_list(sketches.values[sketches.valid].tolist()))
    rows = np.repeat(np.arange(len(segments.rows)), segments.lengths)
    return _by_row(segments, theta.union(decoded, rows).estimates())


def _smallest(tiles: WindowTiles, state: State) -> Column:
    return _extreme(tiles, state, np.minimum)


def _largest(tiles: WindowTiles, state: State) -> Column:
    return _extreme(tiles, state, np.maximum)


def _extreme(tiles: WindowTiles, state: State, function: np.ufunc) -> Column:
    column = tiles.field(state.column)
    segments = tiles.segments(column.valid)
    return _by_row(segments, segments.reduce(function, column.values[column.valid]))


def _first(tiles: WindowTiles, state: State) -> Column:
    return _pick(tiles, state, last=False)


def _last(tiles: WindowTiles, state: State) -> Column:
    return _pick(tiles, state, last=True)


def _pick(tiles: WindowTiles, state: State, *, last: bool) -> Column:
    """Keep the value of the latest (or earliest) time; tiles of a window do not overlap, so no two have one time."""
    value = tiles.field(state.fields[-1].name)
    segments = tiles.segments(value.valid)
    times = tiles.field(state.fields[0].name).values[value.valid]
    edges = times == segments.repeat(segments.reduce(np.maximum if last else np.minimum, times))
    return _by_row(segments, value.values[value.valid][edges])


def _by_row(segments: Segments, values: npt.NDArray[np.generic]) -> Column:
    fill = None if values.dtype == object else 0
    return Column(segments.scatter(values, fill), segments.has_values)


PARTS: Final[Mapping[str, Callable[[WindowTiles, State], Column]]] = {
    "n": _count,
    "sum": _sum,
    "mean": _mean,
    "m2": _m2,
    "m3": _m3,
    "min": _smallest,
    "max": _largest,
    "first": _first,
    "last": _last,
    "decayed": _decayed,
    "theta": _theta,
}
"""By name, those of ``feature_store.model.kinds.PARTS`` that stream views can keep."""
