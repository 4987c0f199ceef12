"""Expressions evaluated in numpy. One function per operation of ``feature_store.expressions.operations``.

The meaning is that of every engine: floats are computed as Float64 whatever their declared type; NaN and infinities, in
a column or coming out of any operation, are null; -0.0 is 0.0. Int64 arithmetic that does not fit Int64 is null, as a
cast that does not fit is. An Int64 compared with a float is compared as Float64. Nothing raises for a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import numpy as np

from feature_store.columns import Array, Column, Mask
from feature_store.dtypes import Boolean, DType, Float64, Int64, String, dtype_from_name
from feature_store.engines.numpy import calendar as evaluate_calendar
from feature_store.engines.numpy import casts as evaluate_casts
from feature_store.engines.numpy import distances
from feature_store.engines.numpy import encodings as evaluate_encodings
from feature_store.engines.numpy.integers import add, multiply, subtract
from feature_store.engines.numpy.working import (
    WorkingColumn,
    finite,
    floats_of,
    map_distinct,
    nulls,
    numpy_type,
    read_column,
)
from feature_store.expressions.literals import literal_dtype
from feature_store.expressions.nodes import ColumnRef, Expression, Literal, Operation, Option
from feature_store.expressions.operations import result_dtype
from feature_store.temporal.instants import to_microseconds

Options = Mapping[str, Option]
Function = Callable[[list[WorkingColumn], Options, DType | None], WorkingColumn]
"""Takes the arguments, the options and the type of the result."""

Compiled = Callable[[Mapping[str, Column], int], Column]
_Compute = Callable[[Mapping[str, Column], int], WorkingColumn]

Binary = Callable[[Array, Array], Array]
Exact = Callable[[Array, Array], tuple[Array, Mask]]
"""Computes integers and tells where the result does not fit."""


def evaluate(expression: Expression, columns: Mapping[str, Column], dtypes: Mapping[str, DType], count: int) -> Column:
    """Return the values of an expression over columns of these types: ``compile_expression``, called once."""
    return compile_expression(expression, dtypes)(columns, count)


def compile_expression(expression: Expression, dtypes: Mapping[str, DType], *, are_finite: bool = False) -> Compiled:
    """Return the function of an expression over columns of these types.

    Args:
        expression: a checked expression, over source columns or features.
        dtypes: the types of the columns by name.
        are_finite: no float in the columns is NaN, infinite or -0.0 where it is valid: it is not looked for.

    Returns:
        A function of columns by name (floats may be Float32 or Float64) and of the number of their rows, in each of
        which a constant is repeated. It gives a column of the working type: float64 for every float, uint8 for
        booleans, objects for strings, int64 microseconds for timestamps, float32 of shape ``(count, n)`` for vectors. A
        literal null is float64.
    """
    compute, _ = _compile(expression, dtypes, are_finite)

    def evaluated(columns: Mapping[str, Column], count: int) -> Column:
        with np.errstate(all="ignore"):
            found = compute(columns, count)
        return Column(found.values, found.valid)

    return evaluated


def _compile(expression: Expression, dtypes: Mapping[str, DType], are_finite: bool) -> tuple[_Compute, DType | None]:
    if isinstance(expression, ColumnRef):
        name, dtype = expression.name, dtypes[expression.name]
        if are_finite and dtype.is_float:
            return lambda columns, _count: floats_of(columns[name], dtype), dtype
        return lambda columns, _count: read_column(columns[name], dtype), dtype
    if isinstance(expression, Literal):
        return lambda _columns, count: _literal(expression, count), literal_dtype(expression)
    assert isinstance(expression, Operation)
    arguments = [_compile(argument, dtypes, are_finite) for argument in expression.arguments]
    computes = [compute for compute, _ in arguments]
    dtype = result_dtype(expression, [each for _, each in arguments])
    function, options = FUNCTIONS[expression.name], dict(expression.options)

    def compute(columns: Mapping[str, Column], count: int) -> WorkingColumn:
        return function([each(columns, count) for each in computes], options, dtype)

    if dtype is None or not dtype.is_float:
        return compute, dtype

    def compute_finite(columns: Mapping[str, Column], count: int) -> WorkingColumn:
        found = compute(columns, count)
        return finite(found.values, found.valid, dtype)

    return compute_finite, dtype


def _literal(literal: Literal, count: int) -> WorkingColumn:
    value, dtype = literal.value, literal_dtype(literal)
    if dtype is None or value is None:
        return nulls(None, count)
    plain = to_microseconds(value) if isinstance(value, datetime) else value
    values = np.full(count, plain, numpy_type(dtype))
    every = np.ones(count, np.bool_)
    return finite(values, every, dtype) if dtype.is_float else WorkingColumn(values, every, dtype)


def _arithmetic(floats: Binary, integers: Exact) -> Function:
    def compute(arguments: list[WorkingColumn], _options: Options, dtype: DType | None) -> WorkingColumn:
        left, right = (argument.to(dtype) for argument in arguments)
        valid = left.valid & right.valid
        if dtype != Int64:
            return WorkingColumn(floats(left.values, right.values), valid, dtype)
        values, overflows = integers(left.values, right.values)
        return WorkingColumn(values, valid & ~overflows, dtype)

    return compute


_SUBTRACT: Final = _arithmetic(np.subtract, subtract)


def _divide(arguments: list[WorkingColumn], _options: Options, dtype: DType | None) -> WorkingColumn:
    left, right = (argument.to(Float64) for argument in arguments)
    # Divided by zero is not finite, which is null.
    return WorkingColumn(left.values / right.values, left.valid & right.valid, dtype)


def _negate(arguments: list[WorkingColumn], options: Options, dtype: DType | None) -> WorkingColumn:
    (value,) = arguments
    zero = WorkingColumn(np.zeros(len(value), np.int64), np.ones(len(value), np.bool_), Int64)
    return _SUBTRACT([zero, value], options, dtype)


def _comparison(compare: Binary) -> Function:
    def compute(arguments: list[WorkingColumn], _options: Options, dtype: DType | None) -> WorkingColumn:
        left, right = arguments
        common = left.dtype if left.dtype == right.dtype else Float64
        left, right = left.to(common), right.to(common)
        return _booleans(compare(left.values, right.values), left.valid & right.valid, dtype)

    return compute


def _booleans(values: Array, valid: Mask, dtype: DType | None) -> WorkingColumn:
    return WorkingColumn(values.astype(np.uint8), valid, dtype)


def _logic(decides: bool) -> Function:
    """Three-valued logic: False decides ``and``, True decides ``or``, whatever the other side is."""

    def compute(arguments: list[WorkingColumn], _options: Options, dtype: DType | None) -> WorkingColumn:
        left, right = (argument.to(Boolean) for argument in arguments)
        decided = (left.valid & (left.values == decides)) | (right.valid & (right.values == decides))
        values = np.where(decided, decides, not decides)
        return _booleans(values, decided | (left.valid & right.valid), dtype)

    return compute


def _not(arguments: list[WorkingColumn], _options: Options, dtype: DType | None) -> WorkingColumn:
    value = arguments[0].to(Boolean)
    return _booleans(value.values == 0, value.valid, dtype)


def _is_null(arguments: list[WorkingColumn], _options: Options, dtype: DType | None) -> WorkingColumn:
    valid = arguments[0].valid
    return _booleans(~valid, np.ones(len(valid), np.bool_), dtype)


def _choose(take_first: Mask, first: WorkingColumn, second: WorkingColumn, dtype: DType | None) -> WorkingColumn:
    chosen = take_first[:, np.newaxis] if first.values.ndim == 2 else take_first
    return WorkingColumn(
        np.where(chosen, first.values, second.values), np.where(take_first, first.valid, second.valid), dtype
    )


def _when(arguments: list[WorkingColumn], _options: Options, dtype: DType | None) -> WorkingColumn:
    condition = arguments[0].to(Boolean)
    return _choose(condition.valid & (condition.values == 1), arguments[1].to(dtype), arguments[2].to(dtype), dtype)


def _fill_null(arguments: list[WorkingColumn], _options: Options, dtype: DType | None) -> WorkingColumn:
    value, other = (argument.to(dtype) for argument in arguments)
    return _choose(value.valid, value, other, dtype)


def _is_in(arguments: list[WorkingColumn], options: Options, dtype: DType | None) -> WorkingColumn:
    (value,) = arguments
    return _booleans(evaluate_encodings.places(value, options["values"]) >= 0, value.valid, dtype)


def _lower(arguments: list[WorkingColumn], _options: Options, _dtype: DType | None) -> WorkingColumn:
    value = arguments[0].to(String)
    return value.where_valid(map_distinct(value.values, str.lower, "O"), String)


def _contains(arguments: list[WorkingColumn], options: Options, _dtype: DType | None) -> WorkingColumn:
    value, part = arguments[0].to(String), str(options["part"])
    return value.where_valid(map_distinct(value.values, lambda text: part in text, "|u1"), Boolean)


def _calendar(part: Callable[[Array], Array]) -> Function:
    def compute(arguments: list[WorkingColumn], _options: Options, _dtype: DType | None) -> WorkingColumn:
        micros = arguments[0].values.astype(np.int64)
        return arguments[0].where_valid(part(micros).astype(np.int64), Int64)

    return compute


def _lookup(arguments: list[WorkingColumn], options: Options, dtype: DType | None) -> WorkingColumn:
    assert dtype is not None
    return evaluate_encodings.lookup(arguments[0], options["keys"], options["values"], dtype)


def _between(distance: Binary) -> Function:
    def compute(arguments: list[WorkingColumn], _options: Options, dtype: DType | None) -> WorkingColumn:
        left, right = arguments
        return WorkingColumn(distance(left.values, right.values), left.valid & right.valid, dtype)

    return compute


FUNCTIONS: Final[Mapping[str, Function]] = {
    "add": _arithmetic(np.add, add),
    "subtract": _SUBTRACT,
    "multiply": _arithmetic(np.multiply, multiply),
    "divide": _divide,
    "negate": _negate,
    "equal": _comparison(np.equal),
    "not_equal": _comparison(np.not_equal),
    "less": _comparison(np.less),
    "less_equal": _comparison(np.less_equal),
    "greater": _comparison(np.greater),
    "greater_equal": _comparison(np.greater_equal),
    "and": _logic(False),
    "or": _logic(True),
    "not": _not,
    "is_null": _is_null,
    "fill_null": _fill_null,
    "when": _when,
    "lower": _lower,
    "contains": _contains,
    "is_in": _is_in,
    "cast": lambda arguments, options, _dtype: evaluate_casts.cast(
        arguments[0], dtype_from_name(str(options["dtype"]))
    ),
    "year": _calendar(evaluate_calendar.year),
    "month": _calendar(evaluate_calendar.month),
    "day": _calendar(evaluate_calendar.day),
    "hour": _calendar(evaluate_calendar.hour),
    "weekday": _calendar(evaluate_calendar.weekday),
    "one_hot": lambda arguments, options, _dtype: evaluate_encodings.one_hot(arguments[0], options["categories"]),
    "ordinal": lambda arguments, options, _dtype: evaluate_encodings.ordinal(arguments[0], options["categories"]),
    "bucketise": lambda arguments, options, _dtype: evaluate_encodings.bucketise(arguments[0], options["boundaries"]),
    "embed": lambda arguments, options, _dtype: evaluate_encodings.embed(
        arguments[0], options["keys"], options["vectors"]
    ),
    "lookup": _lookup,
    "dot": _between(distances.dot),
    "cosine": _between(distances.cosine),
}
"""Every operation by name; the same names as ``operations.SIGNATURES``."""
