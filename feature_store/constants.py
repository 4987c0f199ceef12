"""Constants of declarations: defaults, buckets and literals, and what keeps a Python value from being one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast

import numpy as np

from feature_store.checks.declared import shown
from feature_store.dtypes import Boolean, DType, Float32, Float64, Int64, String, Timestamp
from feature_store.errors import DefinitionError
from feature_store.temporal.instants import FIRST, LAST, to_microseconds

Default = int | float | bool | str | datetime | Sequence[float]

PYTHON_TYPES: Final[Mapping[DType, tuple[type, ...]]] = {
    Int64: (int,),
    Float64: (int, float),
    Float32: (int, float),
    Boolean: (bool,),
    String: (str,),
    Timestamp: (datetime,),
}
"""The Python types in which constants of a type are written."""

_INT64: Final = range(-(2**63), 2**63)


def constant_problem(value: object, dtype: DType) -> tuple[str, str] | None:
    """Say what keeps a value from being a constant of a type, and what to write instead; None: nothing.

    >>> constant_problem(2**63, Int64)
    ('does not fit Int64', 'write a number from -2**63 to 2**63 - 1')
    """
    if type(value) not in PYTHON_TYPES.get(dtype, ()):
        return f"is not of type {dtype}", f"write a value of type {dtype}"
    if isinstance(value, datetime):
        return instant_problem(value)
    # Huge integers have no float, but can be compared with one.
    if dtype.is_float and not abs(cast("float", value)) <= float(np.finfo(np.dtype(dtype.numpy)).max):
        return f"is not a finite {dtype}", "write a finite number"
    if dtype == Int64 and value not in _INT64:
        return "does not fit Int64", "write a number from -2**63 to 2**63 - 1"
    return None


def instant_problem(value: datetime) -> tuple[str, str] | None:
    """Say what keeps a datetime from being an instant of the calendar, and what to write instead; None: nothing."""
    if value.tzinfo is None:
        return "has no time zone", "write datetime(..., tzinfo=UTC)"
    if not FIRST <= value <= LAST:
        return "lies outside the years 1 to 9999 of UTC", "write an instant within them"
    return None


def check_default(place: str, default: Default | None, dtype: DType) -> Default | None:
    """Return a default as its feature's type holds it: floats as float, without negative zero; vectors as tuples."""
    if default is None:
        return None
    if dtype.is_vector:
        return _vector_default(place, default, dtype)
    problem = constant_problem(default, dtype)
    if problem is not None:
        raise DefinitionError(place, f"default={shown(default)} {problem[0]}", f"{problem[1]}, or no default")
    return float(cast("float", default)) + 0.0 if dtype.is_float else default


def default_json(default: Default | None) -> object:
    """Return a default as JSON, for fingerprints."""
    return to_microseconds(default) if isinstance(default, datetime) else default


def _vector_default(place: str, default: object, dtype: DType) -> tuple[float, ...]:
    numbers = list(cast("Sequence[object]", default)) if isinstance(default, list | tuple) else []
    if len(numbers) != dtype.length or any(constant_problem(number, Float32) for number in numbers):
        instead = f"list {dtype.length} finite numbers, or give no default"
        raise DefinitionError(place, f"default={shown(cast('object', default))} is not of type {dtype}", instead)
    return tuple(float(np.float32(cast("float", number))) + 0.0 for number in numbers)
