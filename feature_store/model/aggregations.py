"""Aggregations: what each returns, and the mergeable state from which engines compute it.

An aggregation's state is a few columns of a tile. States of several tiles merge into one, in any order; the value is
read from the merged state. Aggregations of one input and filter share their state, whatever their windows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from feature_store.dtypes import Boolean, DType, Float64, Int64
from feature_store.expressions.nodes import Expression, Literal, Scalar, operation
from feature_store.expressions.text import to_canonical, to_text
from feature_store.temporal.durations import format_duration
from feature_store.temporal.windows import Window


@dataclass(frozen=True)
class Kind:
    """A kind of aggregation.

    The parts of a state are ``n`` (non-null inputs), ``sum``, ``mean``, ``m2`` and ``m3`` (summed squares and cubes of
    distances to the mean), ``min``, ``max``, ``first`` and ``last`` (the value with its order), ``unique`` (distinct
    values), ``bins`` and ``bin_counts`` (a DDSketch, see ``feature_store.sketches.ddsketch``), ``theta`` (a Theta
    sketch, see ``feature_store.sketches.theta``), ``first_k``, ``last_k`` and ``top_k`` (lists of the k values that
    come first) and ``decayed`` (an instant, and the sum as it is then).

    Attributes:
        result: type of the value for a type of input (None: no input), of one slot where the value is an array;
            raises ``TypeError``, saying what is wrong with the input, where undefined.
        states: the parts of its state.
        empty: value where nothing was counted.
    """

    result: Callable[[DType | None], DType]
    states: tuple[str, ...]
    empty: int | None = None


def _number(integer: DType) -> Callable[[DType | None], DType]:
    def result(dtype: DType | None) -> DType:
        if dtype is None or not dtype.is_numeric:
            raise TypeError(f"needs a number, not {dtype}")
        return integer if dtype.is_integer else Float64

    return result


def _same(*, ordered: bool) -> Callable[[DType | None], DType]:
    def result(dtype: DType | None) -> DType:
        if dtype is None or dtype.is_vector or (ordered and dtype == Boolean):
            raise TypeError(f"is not defined for {dtype}")
        return dtype

    return result


def _number_of_distinct(dtype: DType | None) -> DType:
    if dtype is None or dtype.is_vector:
        raise TypeError(f"is not defined for {dtype}")
    return Int64


KINDS: Final[Mapping[str, Kind]] = {
    "count": Kind(lambda _dtype: Int64, ("n",), empty=0),
    "sum": Kind(_number(Int64), ("n", "sum"), empty=0),
    "mean": Kind(_number(Float64), ("n", "mean")),
    "std": Kind(_number(Float64), ("n", "mean", "m2")),
    "min": Kind(_same(ordered=True), ("min",)),
    "max": Kind(_same(ordered=True), ("max",)),
    "first": Kind(_same(ordered=False), ("first",)),
    "last": Kind(_same(ordered=False), ("last",)),
    "n_unique": Kind(_number_of_distinct, ("unique",), empty=0),
    "variance": Kind(_number(Float64), ("n", "mean", "m2")),
    # Rounding leaves a tiny m2 of equal values; the smallest and the largest tell exactly that there is no spread.
    "skew": Kind(_number(Float64), ("n", "mean", "m2", "m3", "min", "max")),
    "approx_percentile": Kind(_number(Float64), ("bins", "bin_counts")),
    "approx_n_unique": Kind(_number_of_distinct, ("theta",), empty=0),
    "first_k": Kind(_same(ordered=False), ("first_k",)),
    "last_k": Kind(_same(ordered=False), ("last_k",)),
    "top_k": Kind(_same(ordered=True), ("top_k",)),
    "decayed_sum": Kind(_number(Float64), ("decayed",), empty=0),
    "count_ratio": Kind(lambda _dtype: Float64, ("n", "n")),
}
"""Every aggregation by name."""

STREAM_PARTS: Final = ("n", "sum", "mean", "m2", "m3", "min", "max", "first", "last", "decayed", "theta")
"""The parts of states that stream views can keep and merge."""


@dataclass(frozen=True, eq=False)
class StatePart:
    """A part of a state: one column of the tiles.

    Attributes:
        part: which, see ``Kind``.
        value: what is aggregated; None: rows.
        where: only events for which this is true count; None: all.
        parameter: the k of ``first_k``, ``last_k`` and ``top_k``, the half-life (microseconds) of ``decayed``.
    """

    part: str
    value: Expression | None
    where: Expression | None
    parameter: int | None = None

    @property
    def column(self) -> str:
        """``<part>_<digest>``; the digest is that of all parts of the same input, filter and parameter."""
        return f"{self.part}_{self.digest}"

    @property
    def digest(self) -> str:
        """Hash of the input, the filter and the parameter, long enough that no two states of a view have the same."""
        parts: list[object] = [None if part is None else to_canonical(part) for part in (self.value, self.where)]
        if self.parameter is not None:
            parts.append(self.parameter)
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, eq=False)
class Aggregation:
    """An aggregation of one view.

    Attributes:
        kind: key of ``KINDS``.
        value: what is aggregated; None: rows (``count()``). Of ``count_ratio`` the numerator.
        window: which events count; None: all history.
        where: only events for which this is true count; None: all.
        k: how many values ``first_k``, ``last_k`` and ``top_k`` keep.
        q: which percentile ``approx_percentile`` gives, 0 to 1.
        half_life: of ``decayed_sum``, microseconds.
        denominator: of ``count_ratio``.
        by: events are counted apart by its value, in a slot per bucket; None: all in one.
        buckets: the values of ``by`` that have a slot, in order.
    """

    kind: str
    value: Expression | None
    window: Window | None
    where: Expression | None
    k: int | None = None
    q: float | None = None
    half_life: int | None = None
    denominator: Expression | None = None
    by: Expression | None = None
    buckets: tuple[Scalar, ...] = ()

    @property
    def length(self) -> int | None:
        """The number of slots of its value, an array; None: its value is no array."""
        return self.k if self.by is None else len(self.buckets)

    def expressions(self) -> tuple[Expression, ...]:
        """Return all that it reads of a row."""
        parts = (self.value, self.denominator, self.where, self.by)
        return tuple(part for part in parts if part is not None)

    def slots(self) -> tuple[Aggregation, ...]:
        """Return aggregations without ``by`` that together give the value: one per bucket, or just this one."""
        if self.by is None:
            return (self,)
        in_bucket = [operation("equal", self.by, bucket) for bucket in self.buckets]
        filters = [_both(self.where, condition) for condition in in_bucket]
        return tuple(replace(self, where=where, by=None, buckets=()) for where in filters)

    def state_parts(self) -> tuple[StatePart, ...]:
        """Return the parts of the state of an aggregation without ``by``, in the order of its kind's ``states``."""
        assert self.by is None, "the state of an aggregation by= is that of its slots"
        if self.kind == "count_ratio":
            return tuple(StatePart("n", None, _both(self.where, part)) for part in (self.value, self.denominator))
        parameter = self.k if self.half_life is None else self.half_life
        return tuple(StatePart(part, self.value, self.where, parameter) for part in KINDS[self.kind].states)

    def rows_part(self) -> StatePart:
        """Return the part that counts the rows passing the filter, null inputs included."""
        assert self.by is None, "the state of an aggregation by= is that of its slots"
        return StatePart("n", None, self.where)

    def state_columns(self) -> tuple[str, ...]:
        """Return the tile columns that hold the state, equal for aggregations that can share it."""
        return tuple(part.column for part in self.state_parts())

    def rows_column(self) -> str:
        """Return the tile column of ``rows_part``."""
        return self.rows_part().column

    def tile_columns(self) -> frozenset[str]:
        """Return every tile column that it needs, those of all its slots and of the rows they count."""
        return frozenset(part.column for slot in self.slots() for part in (*slot.state_parts(), slot.rows_part()))

    def canonical(self) -> object:
        """Return what determines the values, as JSON."""
        value = None if self.value is None else to_canonical(self.value)
        where = None if self.where is None else to_canonical(self.where)
        window = None if self.window is None else [self.window.over, self.window.hop]
        options: dict[str, Any] = {"k": self.k, "q": self.q, "half_life": self.half_life}
        if self.denominator is not None:
            options["denominator"] = to_canonical(self.denominator)
        if self.by is not None:
            options["by"] = [to_canonical(self.by), [to_canonical(Literal(bucket)) for bucket in self.buckets]]
        given = {name: option for name, option in options.items() if option is not None}
        return [self.kind, value, window, where, *([given] if given else [])]

    def __str__(self) -> str:
        parts = [to_text(part) for part in (self.value, self.denominator) if part is not None]
        parts += [f"{name}={option}" for name, option in (("k", self.k), ("q", self.q)) if option is not None]
        parts += [] if self.half_life is None else [f"half_life={format_duration(self.half_life)}"]
        text = f"{self.kind}({', '.join(parts)})"
        if self.by is not None:
            text += f" by {to_text(self.by)} in [{', '.join(to_text(Literal(bucket)) for bucket in self.buckets)}]"
        text += "" if self.where is None else f" where {to_text(self.where)}"
        return text + (" over all history" if self.window is None else f" over {self.window}")


def _both(left: Expression | None, right: Expression | None) -> Expression | None:
    return right if left is None else left if right is None else operation("and", left, right)
