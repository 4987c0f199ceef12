"""``cast``: a value as another type, null where that type cannot hold it.

- Float to Int64: cut off towards zero. Int64 to Float32: through Float64.
- Timestamp to and from numbers: microseconds since the Unix epoch.
- Number to Boolean: whether it is not 0; Boolean to number: 1 or 0.
- String to Boolean: ``true`` or ``false``; to Int64 and floats: decimal digits, no spaces; to Timestamp:
  ``2026-01-31T12:00:00[.ffffff]`` followed by ``Z`` or an offset such as ``+01:00``.
- Boolean to String: ``true`` or ``false``; Timestamp to String: ``2026-01-31T12:00:00.000000Z``; float to String: a
  text that reads back as the same number, the exact spelling being the engine's.
"""

from __future__ import annotations

import polars as pl

from feature_store.dtypes import Boolean, DType, Float64, Int64, String, Timestamp
from feature_store.engines.polars.dtypes import TIMESTAMP, working_dtype
from feature_store.engines.polars.typed import Typed, finite

_INTEGER = r"^[+-]?[0-9]+$"
_DECIMAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_INSTANT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$"


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
    if target == Timestamp and value.dtype.is_float:
        return value.expr.cast(pl.Int64, strict=False).cast(TIMESTAMP)
    return value.expr.cast(working_dtype(target), strict=False)


def _to_float(expr: pl.Expr, source: DType, target: DType) -> pl.Expr:
    if source == String:
        expr = _matching(expr, _DECIMAL)
    if source == Timestamp:
        expr = expr.cast(pl.Int64)
    double = expr.cast(pl.Float64, strict=False)
    return finite(double if target == Float64 else double.cast(pl.Float32).cast(pl.Float64))


def _from_string(expr: pl.Expr, target: DType) -> pl.Expr:
    if target == Int64:
        return _matching(expr, _INTEGER).cast(pl.Int64, strict=False)
    if target == Boolean:
        return pl.when(expr.is_in(["true", "false"])).then(expr == "true")
    if target == Timestamp:
        return _matching(expr, _INSTANT).str.to_datetime(
            "%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False
        )
    return expr


def _to_string(expr: pl.Expr, source: DType) -> pl.Expr:
    return expr.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") if source == Timestamp else expr.cast(pl.String)


def _matching(expr: pl.Expr, pattern: str) -> pl.Expr:
    return pl.when(expr.str.contains(pattern)).then(expr)
