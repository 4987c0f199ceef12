"""Merging tiles into values relative to any T: the one code of the offline join and the online read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from feature_store.codec.stream_tiles import StreamTiles
from feature_store.columns import Column, Mask
from feature_store.dtypes import DType, dtype_from_name
from feature_store.engines.numpy.finish import add_derived, finish_slot, to_array
from feature_store.engines.numpy.merging import WindowTiles, merge_part
from feature_store.errors import InputError
from feature_store.plans.stream_plan import RowCount, StreamAggregate, StreamPlan
from feature_store.temporal.tile_levels import Counting, Instants
from feature_store.temporal.windows import Window


@dataclass(frozen=True)
class Merged:
    """Values of a stream view, one per row.

    Attributes:
        values: by stored feature of the plan, in its dtype; of a row without counted events the empty values.
        counts: by row count of the plan, whether a row has a counted event in its window.
        unfit: by feature, the rows where a sum of integers that it is computed from does not fit Int64, so that it has
            no value; only features with such rows.
    """

    values: dict[str, Column]
    counts: dict[RowCount, Mask]
    unfit: dict[str, Mask]

    @property
    def counted(self) -> Mask:
        """Whether a row has a counted event in any feature of the view; without one it is EMPTY."""
        return self.counted_in(self.counts)

    def counted_in(self, counts: Iterable[RowCount]) -> Mask:
        """Whether a row has a counted event in the windows of some row counts."""
        found = np.zeros(len(next(iter(self.counts.values()))), np.bool_)
        for count in counts:
            found |= self.counts[count]
        return found

    def is_unfit(self, feature: str) -> Mask:
        """Return where a feature has no value as a sum does not fit."""
        found = self.unfit.get(feature)
        return np.zeros(len(self.values[feature].valid), np.bool_) if found is None else found

    def refuse_unfit(self, view: str) -> None:
        """Fail if a sum does not fit, where values of all entities are wanted.

        Raises:
            InputError: which feature of the view.
        """
        for feature in self.unfit:
            raise InputError(
                f"{view}.{feature}: a sum of integers does not fit Int64. "
                "Sum a float instead: sum_(col(...).cast(Float64), ...)."
            )


def merge(plan: StreamPlan, tiles: StreamTiles, as_of: Instants) -> Merged:
    """Return the values of every row as of its A.

    Args:
        plan: of the view, as a service reads it.
        tiles: of the rows, in any order; those that no window counts at the row's A may be among them.
        as_of: A per row, int64 microseconds (``StreamPlan.as_of``).
    """
    merging = _Merging(plan, tiles.in_order(plan.levels), as_of)
    columns: dict[str, Column] = {}
    dtypes: dict[str, DType] = {}
    for aggregate in plan.aggregates:
        dtypes[aggregate.name] = dtype_from_name(aggregate.dtype)
        columns[aggregate.name] = merging.aggregate(aggregate, dtypes[aggregate.name])
    return Merged(add_derived(plan.derived, columns, dtypes, len(as_of)), merging.counts(), merging.unfit())


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
        return {count: self._part(count.column, count.window).values > 0 for count in self.plan.row_counts}

    def unfit(self) -> dict[str, Mask]:
        """Return the rows, by feature that has any, where a sum does not fit: something was counted, and it is null."""
        found: dict[str, Mask] = {}
        for aggregate in (each for each in self.plan.aggregates if each.kind == "sum"):
            for columns in aggregate.slots:
                n, total, _rows = self._parts(aggregate, columns)
                rows = (n.values > 0) & ~total.valid
                if rows.any():
                    found[aggregate.name] = found.get(aggregate.name, False) | rows
        for derived in self.plan.derived if found else ():
            read = [found[name] for name in derived.reads if name in found]
            if read:
                found[derived.name] = np.logical_or.reduce(read)
        return found

    def _parts(self, aggregate: StreamAggregate, columns: Sequence[str]) -> list[Column]:
        return [self._part(column, aggregate.window) for column in columns]

    def _part(self, column: str, window: Window) -> Column:
        key = (column, window)
        if key not in self.merged:
            self.merged[key] = merge_part(self._window(window), self.plan.state[column])
        return self.merged[key]

    def _window(self, window: Window) -> WindowTiles:
        if window not in self.windows:
            self.windows[window] = WindowTiles(self.plan, self.tiles, self.counting.places(window), self.as_of)
        return self.windows[window]
