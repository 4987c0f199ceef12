"""What each operation takes and returns. Every engine implements exactly these names (a test asserts it)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from numbers import Integral, Real
from typing import Final

from feature_store.checks import shown
from feature_store.constants import constant_problem
from feature_store.dtypes import (
    MOST_SLOTS,
    Boolean,
    Bytes,
    DType,
    Float64,
    Int64,
    String,
    Timestamp,
    Vector,
    dtype_from_name,
)
from feature_store.expressions.nodes import ColumnRef, Expression, Literal, Operation, Option

Options = Mapping[str, Option]
Types = list[DType | None]
"""Types of the arguments; None is the type of a literal null, which fits anywhere."""


class ExpressionTypeError(TypeError):
    """An expression combines values of types that do not fit; says what is wrong and what to write instead."""

    def __init__(self, problem: str, instead: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.instead = instead


@dataclass(frozen=True)
class Signature:
    """How an operation is typed and spelled.

    Attributes:
        result: the type of the result; raises ``ExpressionTypeError``.
        text: how it reads, a format string over the arguments and options.
        infix: whether it needs parentheses within another infix operation.
        prose: options that do not determine the values.
    """

    result: Callable[[Types, Options], DType | None]
    text: str
    infix: bool = False
    prose: tuple[str, ...] = ()


_CAST: Final = "use .cast(...) where the type does not fit"
_INT64: Final = range(-(2**63), 2**63)


def _need(condition: bool, problem: str, instead: str = _CAST) -> None:
    if not condition:
        raise ExpressionTypeError(problem, instead)


def _spell(types: Types) -> str:
    return " and ".join("null" if dtype is None else dtype.name for dtype in types)


def _all_numeric(types: Types) -> bool:
    return all(dtype is None or dtype.is_numeric for dtype in types)


def _arithmetic(types: Types, _options: Options) -> DType:
    _need(_all_numeric(types), f"arithmetic needs numbers, not {_spell(types)}")
    return Int64 if all(dtype == Int64 for dtype in types) else Float64


def _divide(types: Types, _options: Options) -> DType:
    _need(_all_numeric(types), f"division needs numbers, not {_spell(types)}")
    return Float64


def _compare(types: Types, _options: Options) -> DType:
    _need(None not in types, "a comparison with null is always null", "use is_null(), or ~is_null()")
    fits = types[0] == types[1] or _all_numeric(types)
    vectors = any(dtype is not None and dtype.is_vector for dtype in types)
    _need(fits and not vectors, f"cannot compare {_spell(types[:1])} with {_spell(types[1:])}")
    return Boolean


_PARENTHESES: Final = "put comparisons in parentheses: (col('x') > 0) & (col('y') > 0)"


def _logic(types: Types, _options: Options) -> DType:
    _need(all(dtype in (None, Boolean) for dtype in types), f"& | ~ need Booleans, not {_spell(types)}", _PARENTHESES)
    return Boolean


def _common(types: Types, what: str) -> DType | None:
    known = [dtype for dtype in types if dtype is not None]
    if not known:
        return None
    if all(dtype == known[0] for dtype in known):
        return known[0]
    _need(_all_numeric(types), f"{what} needs values of one type, not {_spell(types)}")
    return Float64


def _when(types: Types, _options: Options) -> DType | None:
    _need(types[0] in (None, Boolean), f"when(...) needs a Boolean condition, not {types[0]}", "compare something")
    return _common(types[1:], "when(...).then(...).otherwise(...)")


def _takes(dtype: DType, result: DType, name: str) -> Callable[[Types, Options], DType]:
    def rule(types: Types, _options: Options) -> DType:
        _need(types[0] in (None, dtype), f"{name} needs a {dtype}, not {types[0]}")
        return result

    return rule


def _contains(types: Types, options: Options) -> DType:
    _need(types[0] in (None, String), f"contains needs a String, not {types[0]}")
    part = options["part"]
    _need(isinstance(part, str) and part != "", f"contains got {shown(part)}", "give the text to look for")
    return Boolean


def _is_in(types: Types, options: Options) -> DType:
    _need_members(types[0], options["values"], "is_in")
    return Boolean


def _one_hot(types: Types, options: Options) -> DType:
    size = _need_members(types[0], options["categories"], "one_hot")
    instead = f"list at most {MOST_SLOTS}, or embed(...) them in shorter vectors"
    _need(size <= MOST_SLOTS, f"one_hot lists {size} values", instead)
    return Vector(size)


def _ordinal(types: Types, options: Options) -> DType:
    _need_members(types[0], options["categories"], "ordinal")
    return Int64


def _embed(types: Types, options: Options) -> DType:
    _need_members(types[0], options["keys"], "embed")
    return Vector(len(_tuple(_tuple(options["vectors"])[0])))


def _need_members(dtype: DType | None, values: Option, name: str) -> int:
    """Return the number of values listed for a member of that type; refuse wrong ones."""
    _need(dtype in (None, Int64, String), f"{name} needs an Int64 or String, not {dtype}")
    members = _listed(values, name)
    _need(len(members) > 0, f"{name} lists no value", "list at least one")
    wanted = str if dtype == String else int
    bad = [] if dtype is None else [m for m in members if type(m) is not wanted or (wanted is int and m not in _INT64)]
    _need(not bad, f"{name} on {dtype} lists {', '.join(map(shown, bad[:3]))}", f"list values that are {dtype}")
    if len(set(members)) < len(members):
        twice = next(member for place, member in enumerate(members) if member in members[:place])
        raise ExpressionTypeError(f"{name} lists {shown(twice)} twice", "list it once")
    return len(members)


def _cast(types: Types, options: Options) -> DType:
    target = _value_type(str(options["dtype"]))
    source = types[0]
    if source is None or source == target:
        return target
    cannot = f"cannot cast {source} to {target}"
    spelled = source.is_float and target == String
    _need(not spelled, f"{cannot}: a float has many spellings", ".cast(Int64) it first, or use bucketise(...)")
    fits = not (source.is_vector or target.shape) and {source, target} != {Boolean, Timestamp}
    _need(fits, cannot, "cast to another type")
    return target


def _value_type(name: str) -> DType:
    """Return the type of that name, if a value can be of it."""
    try:
        dtype = dtype_from_name(name)
    except ValueError:
        dtype = Bytes
    if dtype == Bytes:
        raise ExpressionTypeError(f"cannot cast to {name}", "use a type of feature_store, e.g. .cast(Float64)")
    return dtype


def _bucketise(types: Types, options: Options) -> DType:
    _need(_all_numeric(types), f"bucketise needs a number, not {types[0]}")
    boundaries = _listed(options["boundaries"], "bucketise")
    rising = "give rising, finite numbers"
    _need(len(boundaries) > 0, "bucketise has no boundaries", rising)
    numbers = [place for place in boundaries if isinstance(place, float) and math.isfinite(place)]
    bad = [place for place in boundaries if place not in numbers]
    _need(not bad, f"bucketise has the boundary {shown(bad[0])}" if bad else "", rising)
    falls = [(a, b) for a, b in pairwise(numbers) if a >= b]
    _need(not falls, f"bucketise has {falls[0][1]} after {falls[0][0]}" if falls else "", rising)
    return Int64


def _listed(values: Option, name: str) -> tuple[Option, ...]:
    """Return listed values; refuse a single one, and sets, whose order differs from process to process."""
    single = isinstance(values, int | float | str)
    instead = f"write [{shown(values)}]" if single else "write a list, which has an order"
    _need(isinstance(values, tuple), f"{name} got {shown(values)} instead of a list", instead)
    return _tuple(values)


def _tuple(value: Option) -> tuple[Option, ...]:
    assert isinstance(value, tuple)
    return value


SIGNATURES: Final[Mapping[str, Signature]] = {
    "add": Signature(_arithmetic, "{0} + {1}", infix=True),
    "subtract": Signature(_arithmetic, "{0} - {1}", infix=True),
    "multiply": Signature(_arithmetic, "{0} * {1}", infix=True),
    "divide": Signature(_divide, "{0} / {1}", infix=True),
    "negate": Signature(_arithmetic, "-{0}", infix=True),
    "equal": Signature(_compare, "{0} = {1}", infix=True),
    "not_equal": Signature(_compare, "{0} != {1}", infix=True),
    "less": Signature(_compare, "{0} < {1}", infix=True),
    "less_equal": Signature(_compare, "{0} <= {1}", infix=True),
    "greater": Signature(_compare, "{0} > {1}", infix=True),
    "greater_equal": Signature(_compare, "{0} >= {1}", infix=True),
    "and": Signature(_logic, "{0} and {1}", infix=True),
    "or": Signature(_logic, "{0} or {1}", infix=True),
    "not": Signature(_logic, "not {0}", infix=True),
    "is_null": Signature(lambda _types, _options: Boolean, "{0} is null", infix=True),
    "fill_null": Signature(lambda types, _options: _common(types, "fill_null(...)"), "fill_null({0}, {1})"),
    "when": Signature(_when, "when({0} then {1} otherwise {2})"),
    "lower": Signature(_takes(String, String, "lower"), "lower({0})"),
    "contains": Signature(_contains, "contains({0}, {part!r})"),
    "is_in": Signature(_is_in, "{0} in {values}", infix=True),
    "cast": Signature(_cast, "cast({0}, {dtype})"),
    "year": Signature(_takes(Timestamp, Int64, "year"), "year({0})"),
    "month": Signature(_takes(Timestamp, Int64, "month"), "month({0})"),
    "day": Signature(_takes(Timestamp, Int64, "day"), "day({0})"),
    "hour": Signature(_takes(Timestamp, Int64, "hour"), "hour({0})"),
    "weekday": Signature(_takes(Timestamp, Int64, "weekday"), "weekday({0})"),
    "one_hot": Signature(_one_hot, "one_hot({0}, {categories})"),
    "ordinal": Signature(_ordinal, "ordinal({0}, {categories})"),
    "bucketise": Signature(_bucketise, "bucketise({0}, {boundaries})"),
    "embed": Signature(_embed, "embed({0}, {table})", prose=("table",)),
}


def infer_dtype(expression: Expression, schema: Mapping[str, DType]) -> DType | None:
    """Return the type of an expression over columns of these types; None for a literal null.

    Raises:
        KeyError: the expression reads a column that the schema lacks.
        ExpressionTypeError: the types do not fit.
    """
    if isinstance(expression, ColumnRef):
        return schema[expression.name]
    if isinstance(expression, Literal):
        return literal_dtype(expression)
    assert isinstance(expression, Operation)
    return result_dtype(expression, [infer_dtype(argument, schema) for argument in expression.arguments])


def result_dtype(operation: Operation, types: Types) -> DType | None:
    """Return the type of an operation on arguments of these types.

    Raises:
        ExpressionTypeError: the types do not fit.
    """
    for dtype in types:
        if dtype is not None and dtype.is_array:
            raise ExpressionTypeError(f"{operation.name} is not defined for {dtype}", "compute with single values")
    return SIGNATURES[operation.name].result(types, dict(operation.options))


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
