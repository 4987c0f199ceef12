"""``cast``; see ``feature_store.expressions.casting``."""

from __future__ import annotations

import polars as pl

from feature_store.dtypes import Boolean, DType, Float64, Int64, String, Timestamp
from feature_store.engines.polars.dtypes import TIMESTAMP, working_dtype
from feature_store.engines.polars.typed import Typed, finite, in_calendar
from feature_store.expressions.casting import DECIMAL, INSTANT, INTEGER


def cast(value: Typed, target: DType) -> pl.Expr:
    """Return ``value`` in the working type of ``target``."""
    if value.dtype is None or value.dtype.is_vector:
        return value.expr.cast(working_dtype(target))
    if target.is_float:
        return _to_float(value.expr, value.dtype, target)
    if value.dtype == String:
        return _from_string(value.expr, target)
    if target == String:
        return _to_string(value.expr, value.dtype)
    if target == Timestamp:
        return in_calendar(value.expr.cast(pl.Int64, strict=False).cast(TIMESTAMP))
    return value.expr.cast(working_dtype(target), strict=False)


def _to_float(expr: pl.Expr, source: DType, target: DType) -> pl.Expr:
    if source == String:
        expr = _matching(expr, DECIMAL)
    if source == Timestamp:
        expr = expr.cast(pl.Int64)
    double = expr.cast(pl.Float64, strict=False)
    return finite(double if target == Float64 else double.cast(pl.Float32).cast(pl.Float64))


def _from_string(expr: pl.Expr, target: DType) -> pl.Expr:
    if target == Int64:
        return _matching(expr, INTEGER).cast(pl.Int64, strict=False)
    if target == Boolean:
        return pl.when(expr.is_in(["true", "false"])).then(expr == "true")
    if target == Timestamp:
        read = _matching(expr, INSTANT).str.to_datetime(
            "%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False
        )
        return in_calendar(read)
    return expr


def _to_string(expr: pl.Expr, source: DType) -> pl.Expr:
    return expr.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") if source == Timestamp else expr.cast(pl.String)


def _matching(expr: pl.Expr, pattern: str) -> pl.Expr:
    return pl.when(expr.str.contains(f"^(?:{pattern})$")).then(expr)
