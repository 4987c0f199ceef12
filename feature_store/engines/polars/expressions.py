"""Expressions compiled to Polars. One builder per operation of ``feature_store.expressions.operations``.

Floats are computed as Float64 whatever their declared type. NaN and infinities, in a source column or coming out of any
operation, are null; -0.0 is 0.0. Int64 arithmetic that does not fit Int64 is null (it is computed in 128 bits), as a
cast that does not fit is. An Int64 compared with a float is compared as Float64. Nothing raises for a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from feature_store.columns import Array
from feature_store.dtypes import Boolean, DType, Float64, Int64, dtype_from_name
from feature_store.engines.numpy import distances
from feature_store.engines.polars import casts, encodings
from feature_store.engines.polars.dtypes import TIMESTAMP, constant
from feature_store.engines.polars.typed import Typed, finite, read_column
from feature_store.expressions.literals import literal_dtype
from feature_store.expressions.nodes import ColumnRef, Expression, Literal, Operation, Option
from feature_store.expressions.operations import result_dtype

Options = Mapping[str, Option]
Builder = Callable[[list[Typed], Options, DType | None], pl.Expr]
"""Takes the arguments, the options and the type of the result."""

Binary = Callable[[pl.Expr, pl.Expr], pl.Expr]


def compile_expression(expression: Expression, schema: Mapping[str, DType]) -> pl.Expr:
    """Return the Polars expression of an expression over columns of these types.

    Args:
        expression: a checked expression, over source columns or features.
        schema: type by column; the frame's columns have these types (Float32 or Float64 for floats).

    Returns:
        An expression of the working type: Float64 for floats, Array(Float32, n) for vectors. A constant expression
        has one row: use it in ``with_columns``, which repeats it.
    """
    return _compile(expression, schema).expr


def _compile(expression: Expression, schema: Mapping[str, DType]) -> Typed:
    if isinstance(expression, ColumnRef):
        dtype = schema[expression.name]
        return Typed(read_column(expression.name, dtype), dtype)
    if isinstance(expression, Literal):
        dtype = literal_dtype(expression)
        return Typed(_literal(expression, dtype), dtype)
    assert isinstance(expression, Operation)
    arguments = [_compile(argument, schema) for argument in expression.arguments]
    dtype = result_dtype(expression, [argument.dtype for argument in arguments])
    result = OPERATIONS[expression.name](arguments, dict(expression.options), dtype)
    return Typed(finite(result) if dtype is not None and dtype.is_float else result, dtype)


def _literal(literal: Literal, dtype: DType | None) -> pl.Expr:
    if dtype is None:
        return pl.lit(None)
    assert literal.value is not None
    value = constant(literal.value, dtype)
    return finite(value) if dtype.is_float else value


def _arithmetic(compute: Binary) -> Builder:
    def build(arguments: list[Typed], _options: Options, dtype: DType | None) -> pl.Expr:
        left, right = (argument.to(dtype) for argument in arguments)
        if dtype != Int64:
            return compute(left, right)
        return compute(left.cast(pl.Int128), right.cast(pl.Int128)).cast(pl.Int64, strict=False)

    return build


def _divide(arguments: list[Typed], _options: Options, _dtype: DType | None) -> pl.Expr:
    left, right = (argument.to(Float64) for argument in arguments)
    # By a constant Polars multiplies with its reciprocal, in batches of two rows or more: another last bit, and
    # infinity for tiny divisors. Adding a zero column makes the divisor a column.
    return left / (right + left * 0.0)


def _negate(arguments: list[Typed], options: Options, dtype: DType | None) -> pl.Expr:
    zero = Typed(pl.lit(0, dtype=pl.Int64), Int64)
    return _arithmetic(lambda left, right: left - right)([zero, *arguments], options, dtype)


def _comparison(compare: Binary) -> Builder:
    def build(arguments: list[Typed], _options: Options, _dtype: DType | None) -> pl.Expr:
        left, right = arguments
        common = left.dtype or right.dtype
        if left.dtype is not None and right.dtype is not None and left.dtype != right.dtype:
            common = Float64
        return compare(left.to(common), right.to(common)).cast(pl.Boolean)

    return build


def _logic(compute: Binary) -> Builder:
    return lambda arguments, _options, _dtype: compute(arguments[0].to(Boolean), arguments[1].to(Boolean))


def _when(arguments: list[Typed], _options: Options, dtype: DType | None) -> pl.Expr:
    condition, value, otherwise = arguments
    return pl.when(condition.to(Boolean)).then(value.to(dtype)).otherwise(otherwise.to(dtype))


def _fill_null(arguments: list[Typed], _options: Options, dtype: DType | None) -> pl.Expr:
    value = arguments[0].to(dtype)
    return pl.when(value.is_not_null()).then(value).otherwise(arguments[1].to(dtype))


def _is_in(arguments: list[Typed], options: Options, _dtype: DType | None) -> pl.Expr:
    values = options["values"]
    assert isinstance(values, tuple)
    return arguments[0].expr.is_in(list(values)).cast(pl.Boolean)


def _contains(arguments: list[Typed], options: Options, _dtype: DType | None) -> pl.Expr:
    return arguments[0].expr.cast(pl.String).str.contains(str(options["part"]), literal=True)


def _calendar(part: Callable[[pl.Expr], pl.Expr]) -> Builder:
    return lambda arguments, _options, _dtype: part(arguments[0].expr.cast(TIMESTAMP)).cast(pl.Int64)


def _lookup(arguments: list[Typed], options: Options, dtype: DType | None) -> pl.Expr:
    assert dtype is not None
    return encodings.lookup(arguments[0], options["keys"], options["values"], dtype)


def _between(distance: Callable[[Array, Array], Array]) -> Builder:
    """Build a distance computed by the one code of both engines: Polars promises no order of adding."""

    def compute(columns: Sequence[pl.Series]) -> pl.Series:
        left, right = pl.DataFrame({"left": columns[0], "right": columns[1]})  # repeats a constant in every row
        both = left.is_not_null() & right.is_not_null()
        vectors = (side.filter(both).to_numpy() for side in (left, right))
        found = np.full(len(both), np.nan)
        found[both.to_numpy()] = distance(*vectors)
        return pl.Series(found)

    def build(arguments: list[Typed], _options: Options, _dtype: DType | None) -> pl.Expr:
        vectors = [argument.expr for argument in arguments]
        return pl.map_batches(vectors, compute, return_dtype=pl.Float64(), is_elementwise=True)

    return build


OPERATIONS: Final[Mapping[str, Builder]] = {
    "add": _arithmetic(lambda left, right: left + right),
    "subtract": _arithmetic(lambda left, right: left - right),
    "multiply": _arithmetic(lambda left, right: left * right),
    "divide": _divide,
    "negate": _negate,
    "equal": _comparison(lambda left, right: left == right),
    "not_equal": _comparison(lambda left, right: left != right),
    "less": _comparison(lambda left, right: left < right),
    "less_equal": _comparison(lambda left, right: left <= right),
    "greater": _comparison(lambda left, right: left > right),
    "greater_equal": _comparison(lambda left, right: left >= right),
    "and": _logic(lambda left, right: left & right),
    "or": _logic(lambda left, right: left | right),
    "not": lambda arguments, _options, _dtype: ~arguments[0].to(Boolean),
    "is_null": lambda arguments, _options, _dtype: arguments[0].expr.is_null(),
    "fill_null": _fill_null,
    "when": _when,
    "lower": lambda arguments, _options, _dtype: arguments[0].expr.cast(pl.String).str.to_lowercase(),
    "contains": _contains,
    "is_in": _is_in,
    "cast": lambda arguments, options, _dtype: casts.cast(arguments[0], dtype_from_name(str(options["dtype"]))),
    "year": _calendar(lambda time: time.dt.year()),
    "month": _calendar(lambda time: time.dt.month()),
    "day": _calendar(lambda time: time.dt.day()),
    "hour": _calendar(lambda time: time.dt.hour()),
    "weekday": _calendar(lambda time: time.dt.weekday() - 1),
    "one_hot": lambda arguments, options, _dtype: encodings.one_hot(arguments[0], options["categories"]),
    "ordinal": lambda arguments, options, _dtype: encodings.ordinal(arguments[0], options["categories"]),
    "bucketise": lambda arguments, options, _dtype: encodings.bucketise(arguments[0], options["boundaries"]),
    "embed": lambda arguments, options, _dtype: encodings.embed(arguments[0], options["keys"], options["vectors"]),
    "lookup": _lookup,
    "dot": _between(distances.dot),
    "cosine": _between(distances.cosine),
}
"""Every operation by name; the same names as ``operations.SIGNATURES``."""
