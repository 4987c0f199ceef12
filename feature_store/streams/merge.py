"""Merging tiles into values relative to any T: the one code of the offline join and the online read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from feature_store.columns import Column, Mask
from feature_store.dtypes import DType, dtype_from_name
from feature_store.streams.levels import Counting, Instants
from feature_store.streams.parts import WindowTiles, merge_part
from feature_store.streams.plan import RowCount, StreamAggregate, StreamPlan
from feature_store.streams.tiles import StreamTiles
from feature_store.streams.values import add_derived, finish_slot, to_array
from feature_store.windows import Window


@dataclass(frozen=True)
class Merged:
    """Values of a stream view, one per row.

    Attributes:
        values: by stored feature of the plan, in its dtype; of a row without counted events the empty values.
        counts: by row count of the plan, whether a row has a counted event in its window.
    """

    values: dict[str, Column]
    counts: dict[RowCount, Mask]

    @property
    def counted(self) -> Mask:
        """Whether a row has a counted event in any feature of the view; without one it is EMPTY."""
        return np.logical_or.reduce(list(self.counts.values()))


def merge(plan: StreamPlan, tiles: StreamTiles, as_of: Instants) -> Merged:
    """Return the values of every row as of its A.

    Args:
        plan: of the view, as a service reads it.
        tiles: of the rows, in any order; those that no window counts at the row's A may be among them.
        as_of: A per row, int64 microseconds (``StreamPlan.as_of``).

    Raises:
        InputError: a sum of integers does not fit Int64.
    """
    merging = _Merging(plan, tiles.in_order(plan.levels), as_of)
    columns: dict[str, Column] = {}
    dtypes: dict[str, DType] = {}
    for aggregate in plan.aggregates:
        dtypes[aggregate.name] = dtype_from_name(aggregate.dtype)
        columns[aggregate.name] = merging.aggregate(aggregate, dtypes[aggregate.name])
    return Merged(add_derived(plan.derived, columns, dtypes, len(as_of)), merging.counts())


@dataclass
class _Merging:
    """Tiles being merged; what several features share is computed once."""

    plan: StreamPlan
    tiles: StreamTiles
    as_of: Instants
    windows: dict[Window, WindowTiles] = field(default_factory=dict[Window, WindowTiles])
    merged: dict[tuple[str, Window], Column] = field(default_factory=dict[tuple[str, Window], Column])

    @cached_property
    def counting(self) -> Counting:
        return Counting(self.plan.levels, self.as_of, self.tiles.row, self.tiles.span, self.tiles.start)

    def aggregate(self, aggregate: StreamAggregate, dtype: DType) -> Column:
        slots = [finish_slot(aggregate, dtype.element, self._parts(aggregate, columns)) for columns in aggregate.slots]
        return to_array(slots) if dtype.is_array else slots[0]

    def counts(self) -> dict[RowCount, Mask]:
        return {count: self._part(count.column, count.window, "").values > 0 for count in self.plan.row_counts}

    def _parts(self, aggregate: StreamAggregate, columns: Sequence[str]) -> list[Column]:
        return [self._part(column, aggregate.window, aggregate.name) for column in columns]

    def _part(self, column: str, window: Window, feature: str) -> Column:
        key = (column, window)
        if key not in self.merged:
            self.merged[key] = merge_part(self._window(window), self.plan.state[column], feature)
        return self.merged[key]

    def _window(self, window: Window) -> WindowTiles:
        if window not in self.windows:
            self.windows[window] = WindowTiles(self.plan, self.tiles, self.counting.places(window), self.as_of)
        return self.windows[window]
