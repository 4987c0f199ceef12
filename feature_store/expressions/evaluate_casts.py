"""``cast`` in numpy: a value as another type, null where that type cannot hold it.

- Float to Int64: cut off towards zero. Int64 to Float32: through Float64.
- Timestamp to and from numbers: microseconds since the Unix epoch.
- Number to Boolean: whether it is not 0; Boolean to number: 1 or 0.
- String to Boolean: ``true`` or ``false``; to Int64 and floats: decimal digits, no spaces; to Timestamp:
  ``2026-01-31T12:00:00[.ffffff]`` followed by ``Z`` or an offset such as ``+01:00``.
- Boolean to String: ``true`` or ``false``; Timestamp to String: ``2026-01-31T12:00:00.000000Z``; float to String: the
  shortest text that reads back as the same number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import numpy as np

from feature_store.columns import Array
from feature_store.dtypes import Boolean, DType, Float32, Float64, Int64, String, Timestamp
from feature_store.expressions.working import WorkingColumn, finite, map_distinct, nulls, numpy_type
from feature_store.instants import to_microseconds

_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_MOST_DIGITS: Final = 20
"""More digits than these, leading zeros aside, are no Int64."""


def cast(value: WorkingColumn, target: DType) -> WorkingColumn:
    """Return values in the working type of ``target``."""
    if value.dtype is None:
        return nulls(target, len(value))
    if value.dtype == target:
        return value
    if value.dtype == String:
        return _from_string(value, target)
    if target == String:
        return value.where_valid(_to_string(value.values, value.dtype), String)
    if target.is_float:
        return _to_float(value, target)
    if target == Boolean:
        return value.where_valid((value.values != 0).astype(np.uint8), Boolean)
    if value.dtype.is_float:
        return _cut_off(value, target)
    return value.where_valid(value.values.astype(np.int64), target)


def _to_float(value: WorkingColumn, target: DType) -> WorkingColumn:
    double = value.values.astype(np.float64)
    return finite(double.astype(np.float32).astype(np.float64) if target == Float32 else double, value.valid, target)


def _cut_off(value: WorkingColumn, target: DType) -> WorkingColumn:
    """Return floats as whole numbers; null where those do not fit Int64."""
    fits = value.valid & (value.values >= -(2.0**63)) & (value.values < 2.0**63)
    return WorkingColumn(np.where(fits, value.values, 0.0).astype(np.int64), fits, target)


def _from_string(value: WorkingColumn, target: DType) -> WorkingColumn:
    parsed = map_distinct(value.values, _PARSERS[target], "O")
    known = np.array([number is not None for number in parsed.tolist()], np.bool_)
    values = np.where(known, parsed, 0).astype(numpy_type(Float64 if target == Float32 else target))
    read = WorkingColumn(values, value.valid & known, target)
    return _to_float(read, target) if target.is_float else read


def _parse_integer(text: str) -> int | None:
    if not _INTEGER.fullmatch(text) or len(text.lstrip("+-").lstrip("0")) > _MOST_DIGITS:
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def _parse_instant(text: str) -> int | None:
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return to_microseconds(datetime.fromisoformat(text))
    except ValueError:
        return None


_PARSERS: Final[Mapping[DType, Callable[[str], Any]]] = {
    Boolean: {"true": 1, "false": 0}.get,
    Int64: _parse_integer,
    Float64: lambda text: float(text) if _DECIMAL.fullmatch(text) else None,
    Float32: lambda text: float(text) if _DECIMAL.fullmatch(text) else None,
    Timestamp: _parse_instant,
}


def _to_string(values: Array, dtype: DType) -> Array:
    if dtype == Boolean:
        return np.array(["false", "true"], object)[values.astype(np.int64)]
    if dtype == Timestamp:
        return np.datetime_as_string(values.view("datetime64[us]"), timezone="UTC").astype(object)
    texts = np.empty(len(values), object)
    texts[:] = list(map(repr, values.tolist()))
    return texts
