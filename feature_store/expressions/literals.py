"""Constants in expressions: their types, and which no column can hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from numbers import Integral, Real
from typing import Final

from feature_store.checks.declared import shown
from feature_store.constants import constant_problem
from feature_store.dtypes import Boolean, DType, Float64, Int64, String, Timestamp
from feature_store.errors import ExpressionTypeError
from feature_store.expressions.nodes import Literal

_LITERALS: Final[Mapping[type, DType]] = {
    bool: Boolean,
    int: Int64,
    float: Float64,
    str: String,
    datetime: Timestamp,
}


def _as_constant(value: object) -> str:
    """Say how to write a value of a type that constants cannot have, as those of numpy."""
    if isinstance(value, Integral):
        return "write int(x)"
    return "write float(x)" if isinstance(value, Real) else "write an int, float, bool, str or datetime"


def literal_dtype(literal: Literal) -> DType | None:
    """Return the type of a constant; None for null.

    Raises:
        ExpressionTypeError: no column can hold it.
    """
    value = literal.value
    if value is None:
        return None
    dtype = _LITERALS.get(type(value))
    if dtype is None:
        raise ExpressionTypeError(f"a value of type {type(value).__name__} cannot be a constant", _as_constant(value))
    problem = constant_problem(value, dtype)
    if problem is not None:
        null = ", or lit(None) for null" if dtype.is_float else ""
        raise ExpressionTypeError(f"the constant {shown(value)} {problem[0]}", problem[1] + null)
    return dtype
