"""The type and the default that a feature declares, checked against the type its expression has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import numpy as np

from feature_store.checks import check_type
from feature_store.drafts import Default
from feature_store.dtypes import Boolean, DType, Float32, Float64, Int64, String, Timestamp
from feature_store.errors import DefinitionError
from feature_store.instants import to_microseconds

PYTHON_TYPES: Final[Mapping[DType, tuple[type, ...]]] = {
    Int64: (int,),
    Float64: (int, float),
    Float32: (int, float),
    Boolean: (bool,),
    String: (str,),
    Timestamp: (datetime,),
}
"""The Python types in which constants of a type are written."""


def check_dtype(where: str, declared: DType | None, inferred: DType) -> DType:
    """Return the type of a feature: as inferred, or a Float64 declared as Float32."""
    if declared is None:
        return inferred
    check_type(where, "dtype", declared, DType, "use a type of feature_store, e.g. Float32")
    if declared == inferred or (declared, inferred) == (Float32, Float64):
        return declared
    raise DefinitionError(
        where,
        f"dtype={declared}, but its values are {inferred}",
        f"leave out dtype=, or .cast({declared}) in the expression",
    )


def check_default(where: str, default: Default | None, dtype: DType) -> Default | None:
    """Return a default as its feature's type holds it: floats as float, without negative zero."""
    if default is None:
        return None
    if type(default) not in PYTHON_TYPES.get(dtype, ()):
        raise DefinitionError(
            where, f"default={default!r} is not of type {dtype}", "give a value of that type, or no default"
        )
    if isinstance(default, datetime) and default.tzinfo is None:
        raise DefinitionError(where, f"default={default} has no time zone", "write datetime(..., tzinfo=UTC)")
    if dtype == Int64 and not -(2**63) <= int(str(default)) < 2**63:
        raise DefinitionError(where, f"default={default} does not fit Int64", "give a smaller number, or no default")
    return _float_default(where, default, dtype) if isinstance(default, int | float) and dtype.is_float else default


def default_json(default: Default | None) -> object:
    """Return a default as JSON, for fingerprints."""
    return to_microseconds(default) if isinstance(default, datetime) else default


def _float_default(where: str, default: float, dtype: DType) -> float:
    largest = float(np.finfo(np.dtype(dtype.numpy)).max)
    if not math.isfinite(default) or abs(default) > largest:
        raise DefinitionError(
            where, f"default={default} is not a finite {dtype}", "give a finite number, or no default, which is null"
        )
    return float(default) + 0.0
