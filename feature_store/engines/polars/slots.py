"""Values from merged states: what each aggregation gives, and where anything was counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from feature_store.engines.polars.sketches import percentile
from feature_store.model.aggregations import Aggregation
from feature_store.model.kinds import KINDS, SMALLEST_SPREAD, Finish
from feature_store.temporal.windows import Window

Value = tuple[pl.Expr, pl.Expr]


def merged_column(state_column: str, window: Window | None) -> str:
    """Return the column of a state merged over a window (None: all history) in the frame that ``finish`` takes."""
    return f"{state_column}@{'all' if window is None else f'{window.over}/{window.hop}'}"


def slot_values(merged: pl.DataFrame, aggregation: Aggregation) -> list[Value]:
    """Return the value of each slot of an aggregation, one if it is no array, and whether anything was counted in it.

    Args:
        merged: one ``merged_column`` per state.
        aggregation: of a view.
    """
    finish = FINISH[KINDS[aggregation.kind].finish]
    places = range(aggregation.k or 1)
    return [finish(_Slot(merged, slot, place)) for slot in aggregation.slots() for place in places]


@dataclass(frozen=True)
class _Slot:
    """The input of finishing: merged states, an aggregation without ``by``, and the place in its list if it has one."""

    merged: pl.DataFrame
    aggregation: Aggregation
    place: int

    def parts(self) -> list[pl.Expr]:
        """Return the parts of the state, in the order of the kind's."""
        return [self._column(column) for column in self.aggregation.state_columns()]

    def rows(self) -> pl.Expr:
        """Return the number of rows that pass the filter."""
        return self._column(self.aggregation.rows_column())

    def _column(self, state: str) -> pl.Expr:
        return pl.col(merged_column(state, self.aggregation.window))


def _value(slot: _Slot) -> Value:
    (part,) = slot.parts()
    return part, part.is_not_null()


def _counted(slot: _Slot) -> Value:
    parts = slot.parts()
    return parts[-1], parts[0] > 0


def _variance(slot: _Slot) -> Value:
    n, _mean, m2 = slot.parts()
    return pl.when(n > 1).then(m2 / (n - 1)), n > 0


def _std(slot: _Slot) -> Value:
    variance, counted = _variance(slot)
    return variance.sqrt(), counted


def _skew(slot: _Slot) -> Value:
    n, _mean, m2, m3, smallest, largest = slot.parts()
    apart = largest.cast(pl.Float64) - smallest.cast(pl.Float64)
    spread = (n > 2) & (apart >= SMALLEST_SPREAD)
    return pl.when(spread).then(n.cast(pl.Float64).sqrt() * m3 / (m2 * m2.sqrt())), n > 0


def _ratio(slot: _Slot) -> Value:
    numerator, denominator = slot.parts()
    return pl.when(denominator > 0).then(numerator / denominator), slot.rows() > 0


def _percentile(slot: _Slot) -> Value:
    parts = slot.parts()
    assert slot.aggregation.q is not None
    bins, counts = slot.merged.select(parts)
    return pl.lit(percentile(bins, counts, slot.aggregation.q)), parts[0].is_not_null()


def _list(slot: _Slot) -> Value:
    (part,) = slot.parts()
    return part.list.get(slot.place, null_on_oob=True), part.is_not_null()


FINISH: Final[Mapping[Finish, Callable[[_Slot], Value]]] = {
    "value": _value,
    "counted": _counted,
    "variance": _variance,
    "std": _std,
    "skew": _skew,
    "ratio": _ratio,
    "percentile": _percentile,
    "list": _list,
}
"""By ``Kind.finish``."""
