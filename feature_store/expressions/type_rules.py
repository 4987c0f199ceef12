"""The types that each operation takes and gives; wrong ones raise ``ExpressionTypeError``.

A rule is called with the types of the arguments, None being that of a literal null, and with the options.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

from feature_store.checks.declared import shown
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
from feature_store.errors import ExpressionTypeError
from feature_store.expressions.lookups import value_dtype
from feature_store.expressions.nodes import Option

Options = Mapping[str, Option]
Types = list[DType | None]
"""Types of the arguments; None is the type of a literal null, which fits anywhere."""

_CAST: Final = "use .cast(...) where the type does not fit"
_INT64: Final = range(-(2**63), 2**63)


def _need(condition: bool, problem: str, instead: str = _CAST) -> None:
    if not condition:
        raise ExpressionTypeError(problem, instead)


def _spell(types: Types) -> str:
    return " and ".join("null" if dtype is None else dtype.name for dtype in types)


def _all_numeric(types: Types) -> bool:
    return all(dtype is None or dtype.is_numeric for dtype in types)


def arithmetic(types: Types, _options: Options) -> DType:
    """Int64 of integers, Float64 of other numbers."""
    _need(_all_numeric(types), f"arithmetic needs numbers, not {_spell(types)}")
    return Int64 if all(dtype == Int64 for dtype in types) else Float64


def divide(types: Types, _options: Options) -> DType:
    """Float64 of numbers."""
    _need(_all_numeric(types), f"division needs numbers, not {_spell(types)}")
    return Float64


def compare(types: Types, _options: Options) -> DType:
    """Boolean of two values of one type, or of two numbers."""
    _need(None not in types, "a comparison with null is always null", "use is_null(), or ~is_null()")
    fits = types[0] == types[1] or _all_numeric(types)
    vectors = any(dtype is not None and dtype.is_vector for dtype in types)
    _need(fits and not vectors, f"cannot compare {_spell(types[:1])} with {_spell(types[1:])}")
    return Boolean


_PARENTHESES: Final = "put comparisons in parentheses: (col('x') > 0) & (col('y') > 0)"


def logic(types: Types, _options: Options) -> DType:
    """Boolean of Booleans."""
    _need(all(dtype in (None, Boolean) for dtype in types), f"& | ~ need Booleans, not {_spell(types)}", _PARENTHESES)
    return Boolean


def common(types: Types, what: str) -> DType | None:
    """The one type of all values, Float64 of several types of numbers; None of nulls."""
    known = [dtype for dtype in types if dtype is not None]
    if not known:
        return None
    if all(dtype == known[0] for dtype in known):
        return known[0]
    _need(_all_numeric(types), f"{what} needs values of one type, not {_spell(types)}")
    return Float64


def when(types: Types, _options: Options) -> DType | None:
    """The common type of both values; the condition is Boolean."""
    _need(types[0] in (None, Boolean), f"when(...) needs a Boolean condition, not {types[0]}", "compare something")
    return common(types[1:], "when(...).then(...).otherwise(...)")


def takes(dtype: DType, result: DType, name: str) -> Callable[[Types, Options], DType]:
    """Return the rule of an operation on one value of a type."""

    def rule(types: Types, _options: Options) -> DType:
        _need(types[0] in (None, dtype), f"{name} needs a {dtype}, not {types[0]}")
        return result

    return rule


def contains(types: Types, options: Options) -> DType:
    """Boolean of a String and a text."""
    _need(types[0] in (None, String), f"contains needs a String, not {types[0]}")
    part = options["part"]
    _need(isinstance(part, str) and part != "", f"contains got {shown(part)}", "give the text to look for")
    return Boolean


def is_in(types: Types, options: Options) -> DType:
    """Boolean of a value and the values listed."""
    _need_members(types[0], options["values"], "is_in")
    return Boolean


def one_hot(types: Types, options: Options) -> DType:
    """A vector with an element per category."""
    size = _need_members(types[0], options["categories"], "one_hot")
    instead = f"list at most {MOST_SLOTS}, or embed(...) them in shorter vectors"
    _need(size <= MOST_SLOTS, f"one_hot lists {size} values", instead)
    return Vector(size)


def ordinal(types: Types, options: Options) -> DType:
    """Int64: a place among the categories."""
    _need_members(types[0], options["categories"], "ordinal")
    return Int64


def embed(types: Types, options: Options) -> DType:
    """A vector of the table's length."""
    _need_members(types[0], options["keys"], "embed")
    return Vector(len(_tuple(_tuple(options["vectors"])[0])))


def lookup(types: Types, options: Options) -> DType:
    """The type of the table's values."""
    _need_members(types[0], options["keys"], "lookup")
    return value_dtype(_tuple(options["values"]))


def between_vectors(types: Types, _options: Options) -> DType:
    """Float64 of two vectors of one length."""
    first = types[0]
    fits = first is not None and first.is_vector and types[1] == first
    _need(fits, f"a distance needs two vectors of one length, not {_spell(types)}", "embed(...) the values first")
    return Float64


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


def cast(types: Types, options: Options) -> DType:
    """The type that is cast to, if the value can be."""
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


def bucketise(types: Types, options: Options) -> DType:
    """Int64: a place among rising boundaries."""
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
