"""Expressions of one row as plain Python functions: for a single entity many times faster than arrays of one element.

The meaning is that of ``feature_store.engines.numpy.expressions``, to the last bit; a test holds both together. What
works on vectors, calendars, and texts that are read as numbers, is left to numpy.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

import numpy as np

from feature_store.dtypes import Boolean, DType, Float32, Float64, Int64, String, Timestamp, dtype_from_name
from feature_store.expressions.literals import literal_dtype
from feature_store.expressions.nodes import ColumnRef, Expression, Literal, Operation, Option
from feature_store.expressions.operations import result_dtype
from feature_store.temporal.durations import DAY, HOUR
from feature_store.temporal.instants import FIRST, LAST, to_microseconds

Row = Sequence[Any]
"""A value per column: None, float, int (also for timestamps, microseconds), bool or str."""
Scalar = Callable[[Row], Any]
Options = Mapping[str, Option]

_Builder = Callable[
    [Sequence[Scalar], Sequence[DType | None], Options, DType | None],
    Scalar | None,
]
"""Takes the functions of the arguments, their types, the options and the type of the result; None: numpy alone."""

_FIRST: Final = to_microseconds(FIRST)
_LAST: Final = to_microseconds(LAST)
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1


def compile_scalar(expression: Expression, dtypes: Mapping[str, DType]) -> Scalar | None:
    """Return the function of an expression over columns of these types, in this order; None: numpy alone computes it.

    >>> compile_scalar(ColumnRef("a") / ColumnRef("b"), {"a": Float64, "b": Int64})((1.0, 4))
    0.25
    """
    compiled = _compile(expression, dtypes)
    return None if compiled is None else compiled[0]


def _compile(expression: Expression, dtypes: Mapping[str, DType]) -> tuple[Scalar, DType | None] | None:
    if isinstance(expression, ColumnRef):
        dtype = dtypes[expression.name]
        return None if dtype.shape else (_column(list(dtypes).index(expression.name), dtype), dtype)
    if isinstance(expression, Literal):
        return _literal(expression)
    assert isinstance(expression, Operation)
    build = _BUILDERS.get(expression.name)
    arguments = [_compile(argument, dtypes) for argument in expression.arguments]
    if build is None or None in arguments:
        return None
    known = cast("list[tuple[Scalar, DType | None]]", arguments)
    types = [dtype for _, dtype in known]
    dtype = result_dtype(expression, types)
    function = build([function for function, _ in known], types, dict(expression.options), dtype)
    return None if function is None else (function, dtype)


def _column(place: int, dtype: DType) -> Scalar:
    read = operator.itemgetter(place)
    if dtype.is_float:
        return lambda row: _finite(read(row))
    if dtype == Timestamp:
        return lambda row: value if (value := read(row)) is not None and _FIRST <= value <= _LAST else None
    return read


def _literal(literal: Literal) -> tuple[Scalar, DType | None]:
    dtype, value = literal_dtype(literal), literal.value
    plain = to_microseconds(value) if isinstance(value, datetime) else value
    if dtype is not None and dtype.is_float:
        plain = _finite(plain)
    return lambda _row: plain, dtype


def _finite(value: Any) -> float | None:
    """Return a float without NaN, infinities and -0.0."""
    return value + 0.0 if value is not None and math.isfinite(value) else None


def _to(dtype: DType | None, source: DType | None, function: Scalar) -> Scalar:
    """Return a function whose numbers are of the working type of another type."""
    if dtype is None or not dtype.is_float or source is None or source.is_float:
        return function
    return lambda row: None if (value := function(row)) is None else float(value)


def _arithmetic(compute: Callable[[Any, Any], Any]) -> _Builder:
    def build(
        functions: Sequence[Scalar], types: Sequence[DType | None], _options: Options, dtype: DType | None
    ) -> Scalar:
        left, right = (_to(dtype, source, each) for source, each in zip(types, functions, strict=True))

        def integers(row: Row) -> int | None:
            if (a := left(row)) is None or (b := right(row)) is None:
                return None
            found = compute(a, b)
            return found if _LEAST <= found <= _MOST else None

        def floats(row: Row) -> float | None:
            if (a := left(row)) is None or (b := right(row)) is None:
                return None
            return _finite(compute(a, b))

        return integers if dtype == Int64 else floats

    return build


def _divide(
    functions: Sequence[Scalar], types: Sequence[DType | None], _options: Options, _dtype: DType | None
) -> Scalar:
    left, right = (_to(Float64, source, each) for source, each in zip(types, functions, strict=True))

    def divide(row: Row) -> float | None:
        if (a := left(row)) is None or not (b := right(row)):
            return None
        return _finite(a / b)

    return divide


def _negate(
    functions: Sequence[Scalar], types: Sequence[DType | None], options: Options, dtype: DType | None
) -> Scalar | None:
    return _arithmetic(operator.sub)([lambda _row: 0, *functions], [Int64, *types], options, dtype)


def _comparison(compare: Callable[[Any, Any], bool]) -> _Builder:
    def build(
        functions: Sequence[Scalar], types: Sequence[DType | None], _options: Options, _dtype: DType | None
    ) -> Scalar:
        common = types[0] if types[0] == types[1] else Float64
        left, right = (_to(common, source, each) for source, each in zip(types, functions, strict=True))

        def compared(row: Row) -> bool | None:
            if (a := left(row)) is None or (b := right(row)) is None:
                return None
            return compare(a, b)

        return compared

    return build


def _logic(decides: bool) -> _Builder:
    def build(functions: Sequence[Scalar], *_rest: Any) -> Scalar:
        left, right = functions

        def logic(row: Row) -> bool | None:
            a, b = left(row), right(row)
            if a is decides or b is decides:
                return decides
            return None if a is None or b is None else not decides

        return logic

    return build


def _fill_null(
    functions: Sequence[Scalar], types: Sequence[DType | None], _options: Options, dtype: DType | None
) -> Scalar:
    value, other = (_to(dtype, source, each) for source, each in zip(types, functions, strict=True))
    return lambda row: other(row) if (found := value(row)) is None else found


def _when(functions: Sequence[Scalar], types: Sequence[DType | None], _options: Options, dtype: DType | None) -> Scalar:
    condition = functions[0]
    value, other = (_to(dtype, source, each) for source, each in zip(types[1:], functions[1:], strict=True))
    return lambda row: value(row) if condition(row) is True else other(row)


def _of_one(function: Callable[[Any, Options], Any]) -> _Builder:
    """Build a function of one value: null in, null out."""

    def build(functions: Sequence[Scalar], _types: Any, options: Options, _dtype: Any) -> Scalar:
        (read,) = functions
        compute = function(None, options)
        return lambda row: None if (value := read(row)) is None else compute(value)

    return build


def _of_keys(values: Callable[[Options], Mapping[Any, Any]]) -> _Builder:
    return _of_one(lambda _value, options: values(options).get)


def _listed(option: Option) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", option)


def _looked_up(options: Options) -> Mapping[Any, Any]:
    values = _listed(options["values"])
    is_float = any(isinstance(value, float) for value in values)
    return dict(zip(_listed(options["keys"]), map(float, values) if is_float else values, strict=True))


def _contains(_value: Any, options: Options) -> Callable[[str], bool]:
    part = str(options["part"])
    return lambda text: part in text


def _hour(micros: int) -> int:
    return micros // HOUR % 24


def _weekday(micros: int) -> int:
    return (micros // DAY + 3) % 7


def _bucketise(_value: Any, options: Options) -> Callable[[Any], int]:
    edges = [float(edge) for edge in _listed(options["boundaries"])]
    return lambda value: bisect_right(edges, float(value))


def _cast(
    functions: Sequence[Scalar], types: Sequence[DType | None], options: Options, _dtype: DType | None
) -> Scalar | None:
    (read,), source, target = functions, types[0], dtype_from_name(str(options["dtype"]))
    if source == target:
        return read
    if source is None or source in (String, Timestamp) or target in (String, Timestamp) or target.shape:
        return None
    convert = _CASTS[target]
    return lambda row: None if (value := read(row)) is None else convert(value)


def _to_integer(value: float) -> int | None:
    return int(value) if -(2.0**63) <= value < 2.0**63 else None


def _to_float32(value: float) -> float | None:
    with np.errstate(over="ignore"):
        return _finite(float(np.float32(float(value))))


_CASTS: Final[Mapping[DType, Callable[[Any], Any]]] = {
    Int64: _to_integer,
    Float64: float,
    Float32: _to_float32,
    Boolean: lambda value: value != 0,
}

_BUILDERS: Final[Mapping[str, _Builder]] = {
    "add": _arithmetic(operator.add),
    "subtract": _arithmetic(operator.sub),
    "multiply": _arithmetic(operator.mul),
    "divide": _divide,
    "negate": _negate,
    "equal": _comparison(operator.eq),
    "not_equal": _comparison(operator.ne),
    "less": _comparison(operator.lt),
    "less_equal": _comparison(operator.le),
    "greater": _comparison(operator.gt),
    "greater_equal": _comparison(operator.ge),
    "and": _logic(False),
    "or": _logic(True),
    "not": _of_one(lambda _value, _options: operator.not_),
    "is_null": lambda functions, _types, _options, _dtype: lambda row: functions[0](row) is None,
    "fill_null": _fill_null,
    "when": _when,
    "lower": _of_one(lambda _value, _options: str.lower),
    "contains": _of_one(_contains),
    "is_in": _of_one(lambda _value, options: frozenset(_listed(options["values"])).__contains__),
    "ordinal": _of_keys(lambda options: {key: at for at, key in enumerate(_listed(options["categories"]))}),
    "lookup": _of_keys(_looked_up),
    "bucketise": _of_one(_bucketise),
    "cast": _cast,
    "hour": _of_one(lambda _value, _options: _hour),
    "weekday": _of_one(lambda _value, _options: _weekday),
}
"""By operation; those that are not here, numpy computes."""
