"""``cast`` in numpy; see ``feature_store.expressions.casting``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import numpy as np

from feature_store.columns import Array
from feature_store.dtypes import Boolean, DType, Float32, Float64, Int64, String, Timestamp
from feature_store.engines.numpy.working import WorkingColumn, finite, in_calendar, map_distinct, nulls, numpy_type
from feature_store.expressions.casting import DECIMAL, INSTANT, INTEGER
from feature_store.temporal.instants import to_microseconds

_MOST_DIGITS: Final = 19
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
    whole = _cut_off(value, target) if value.dtype.is_float else _integers(value, target)
    return in_calendar(whole) if target == Timestamp else whole


def _to_float(value: WorkingColumn, target: DType) -> WorkingColumn:
    double = value.values.astype(np.float64)
    return finite(double.astype(np.float32).astype(np.float64) if target == Float32 else double, value.valid, target)


def _integers(value: WorkingColumn, target: DType) -> WorkingColumn:
    return value.where_valid(value.values.astype(np.int64), target)


def _cut_off(value: WorkingColumn, target: DType) -> WorkingColumn:
    """Return floats as whole numbers; null where those do not fit Int64."""
    fits = value.valid & (value.values >= -(2.0**63)) & (value.values < 2.0**63)
    return WorkingColumn(np.where(fits, value.values, 0.0).astype(np.int64), fits, target)


def _from_string(value: WorkingColumn, target: DType) -> WorkingColumn:
    parsed = map_distinct(value.values, _PARSERS[target], "O")
    known = np.array([number is not None for number in parsed.tolist()], np.bool_)
    values = np.where(known, parsed, 0).astype(numpy_type(Float64 if target == Float32 else target))
    read = WorkingColumn(values, value.valid & known, target)
    if target == Timestamp:
        return in_calendar(read)
    return _to_float(read, target) if target.is_float else read


def _parse_integer(text: str) -> int | None:
    digits = text.lstrip("+-").lstrip("0")
    if not re.fullmatch(INTEGER, text) or len(digits) > _MOST_DIGITS:
        return None
    number = int(digits or "0") * (-1 if text[0] == "-" else 1)
    return number if -(2**63) <= number < 2**63 else None


def _parse_decimal(text: str) -> float | None:
    return float(text) if re.fullmatch(DECIMAL, text) else None


def _parse_instant(text: str) -> int | None:
    if not re.fullmatch(INSTANT, text):
        return None
    try:
        return to_microseconds(datetime.fromisoformat(text))
    except ValueError:
        return None


_PARSERS: Final[Mapping[DType, Callable[[str], Any]]] = {
    Boolean: {"true": 1, "false": 0}.get,
    Int64: _parse_integer,
    Float64: _parse_decimal,
    Float32: _parse_decimal,
    Timestamp: _parse_instant,
}


def _to_string(values: Array, dtype: DType) -> Array:
    if dtype == Boolean:
        return np.array(["false", "true"], object)[values.astype(np.int64)]
    if dtype == Timestamp:
        return np.datetime_as_string(values.view("datetime64[us]"), timezone="UTC").astype(object)
    texts = np.empty(len(values), object)
    texts[:] = list(map(str, values.tolist()))
    return texts
