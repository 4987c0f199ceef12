"""Polars expressions that know their feature type, and the conversions every operation needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from feature_store.dtypes import DType, Timestamp
from feature_store.engines.polars.dtypes import TIMESTAMP, working_dtype
from feature_store.temporal.instants import FIRST, LAST


@dataclass(frozen=True)
class Typed:
    """A Polars expression of the working type of ``dtype``; None is the type of a literal null."""

    expr: pl.Expr
    dtype: DType | None

    def to(self, dtype: DType | None) -> pl.Expr:
        """Return the expression in the working type of another type; None leaves it alone."""
        return self.expr if dtype is None or dtype == self.dtype else self.expr.cast(working_dtype(dtype))


def finite(expr: pl.Expr) -> pl.Expr:
    """Return floats with NaN and infinities as null and -0.0 as 0.0."""
    # Adding 0.0 would turn -0.0 into 0.0 too, but the optimiser drops such an addition.
    return pl.when(expr == 0.0).then(0.0).when(expr.is_finite()).then(expr)


_MOST_MILLISECONDS: Final = (2**63 - 1) // 1000


def to_timestamp(expr: pl.Expr, dtype: pl.Datetime) -> pl.Expr:
    """Return times of any unit and zone as timestamps; null where microseconds of Int64 cannot hold them."""
    if dtype.time_unit != "ms":
        return expr.cast(TIMESTAMP)
    milliseconds = expr.to_physical()
    held = milliseconds.is_between(-_MOST_MILLISECONDS, _MOST_MILLISECONDS)
    return pl.when(held).then(milliseconds * 1000).cast(TIMESTAMP)


def in_calendar(expr: pl.Expr) -> pl.Expr:
    """Return timestamps with those outside the calendar as null."""
    return pl.when(expr.is_between(FIRST, LAST)).then(expr)


def read_column(name: str, dtype: DType) -> pl.Expr:
    """Return a column of a source or of features in its working type, without what is no value.

    A vector with a null element, or one that is not finite, is null.
    """
    column = pl.col(name)
    if dtype.is_float:
        return finite(column.cast(pl.Float64))
    if dtype.is_vector:
        elements = column.arr.eval(finite(pl.element()))
        return pl.when(~elements.arr.contains(None)).then(elements)
    return in_calendar(column) if dtype == Timestamp else column
