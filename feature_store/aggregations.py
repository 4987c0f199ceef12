"""Aggregations: what each returns, and the mergeable state from which engines compute it.

An aggregation's state is a few columns of a tile. States of several tiles merge into one, in any order; the value is
read from the merged state. Aggregations of one input and filter share their state, whatever their windows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from feature_store.dtypes import Boolean, DType, Float64, Int64
from feature_store.expressions.nodes import Expression
from feature_store.expressions.text import to_canonical, to_text
from feature_store.windows import Window


@dataclass(frozen=True)
class Kind:
    """A kind of aggregation.

    The parts of a state are ``n`` (non-null inputs), ``sum``, ``mean``, ``m2`` (summed squares of distances to
    the mean), ``min``, ``max``, ``first`` and ``last`` (the value with its order) and ``unique`` (distinct values).

    Attributes:
        result: type of the value for a type of input (None: no input); raises ``TypeError`` where undefined.
        states: the parts of its state.
        empty: value where nothing was counted.
    """

    result: Callable[[DType | None], DType]
    states: tuple[str, ...]
    empty: int | None = None


def _number(name: str, integer: DType) -> Callable[[DType | None], DType]:
    def result(dtype: DType | None) -> DType:
        if dtype is None or not dtype.is_numeric:
            raise TypeError(f"{name} needs a number, not {dtype}")
        return integer if dtype.is_integer else Float64

    return result


def _same(name: str, ordered: bool) -> Callable[[DType | None], DType]:
    def result(dtype: DType | None) -> DType:
        if dtype is None or dtype.is_vector or (ordered and dtype == Boolean):
            raise TypeError(f"{name} is not defined for {dtype}")
        return dtype

    return result


def _unique(dtype: DType | None) -> DType:
    if dtype is None or dtype.is_vector:
        raise TypeError(f"n_unique is not defined for {dtype}")
    return Int64


KINDS: Final[Mapping[str, Kind]] = {
    "count": Kind(lambda _dtype: Int64, ("n",), empty=0),
    "sum": Kind(_number("sum", Int64), ("n", "sum"), empty=0),
    "mean": Kind(_number("mean", Float64), ("n", "mean")),
    "std": Kind(_number("std", Float64), ("n", "mean", "m2")),
    "min": Kind(_same("min", ordered=True), ("min",)),
    "max": Kind(_same("max", ordered=True), ("max",)),
    "first": Kind(_same("first", ordered=False), ("first",)),
    "last": Kind(_same("last", ordered=False), ("last",)),
    "n_unique": Kind(_unique, ("unique",), empty=0),
}
"""Every aggregation by name."""


@dataclass(frozen=True, eq=False)
class Aggregation:
    """An aggregation of one view.

    Attributes:
        kind: key of ``KINDS``.
        value: what is aggregated; None: rows (``count()``).
        window: which events count; None: all history.
        where: only events for which this is true count; None: all.
    """

    kind: str
    value: Expression | None
    window: Window | None
    where: Expression | None

    def state_columns(self) -> tuple[str, ...]:
        """Return the tile columns that hold the state, equal for aggregations that can share it."""
        return tuple(f"{part}_{_digest(self.value, self.where)}" for part in KINDS[self.kind].states)

    def rows_column(self) -> str:
        """Return the tile column that counts the rows passing the filter, null inputs included."""
        return f"n_{_digest(None, self.where)}"

    def canonical(self) -> object:
        """Return what determines the values, as JSON."""
        value = None if self.value is None else to_canonical(self.value)
        where = None if self.where is None else to_canonical(self.where)
        window = None if self.window is None else [self.window.over, self.window.hop]
        return [self.kind, value, window, where]

    def __str__(self) -> str:
        text = f"{self.kind}({'' if self.value is None else to_text(self.value)})"
        text += "" if self.where is None else f" where {to_text(self.where)}"
        return text + (" over all history" if self.window is None else f" over {self.window}")


def _digest(value: Expression | None, where: Expression | None) -> str:
    parts = [None if part is None else to_canonical(part) for part in (value, where)]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=4).hexdigest()
