"""The meaning of expressions, one row at a time.

A float is never NaN, infinite or -0.0: those become None and 0.0 wherever they come up, in the input too.
"""

from __future__ import annotations

import math
import operator
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from feature_store.dtypes import Boolean, DType, Float32, Int64, String, Timestamp, dtype_from_name
from feature_store.expressions.literals import literal_dtype
from feature_store.expressions.nodes import ColumnRef, Expression, Literal, Operation
from feature_store.expressions.operations import result_dtype

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Row = Mapping[str, Any]
"""Values by column or feature."""
Options = Mapping[str, Any]


def microseconds(instant: datetime) -> int:
    """Return an instant as microseconds since the Unix epoch."""
    return (instant - EPOCH) // timedelta(microseconds=1)


FIRST: Final = microseconds(datetime.min.replace(tzinfo=UTC))
LAST: Final = microseconds(datetime.max.replace(tzinfo=UTC))


def as_type(value: Any, dtype: DType) -> Any:
    """Return a value as a column of that type holds it: clean floats, integers within Int64, instants in UTC.

    A vector with an element that is null is null; an array is null if all its slots are.
    """
    if value is None:
        return None
    if dtype.is_vector:
        elements = [as_type(element, Float32) for element in value]
        return None if None in elements else elements
    if dtype.is_array:
        slots = [as_type(slot, dtype.element) for slot in value]
        return None if all(slot is None for slot in slots) else slots
    if dtype == Int64:
        return value if -(2**63) <= value < 2**63 else None
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if not dtype.is_float:
        return value
    value = float(value)
    if not math.isfinite(value):
        return None
    return round_to_float32(value) if dtype == Float32 else value + 0.0


def round_to_float32(value: float) -> float | None:
    """Return the nearest Float32; null beyond the largest."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0]) + 0.0
    except OverflowError:
        return None


def evaluate(expression: Expression, row: Row, schema: Mapping[str, DType]) -> Any:
    """Return the value of an expression over one row whose columns have these types."""
    return typed_value(expression, row, schema)[0]


def typed_value(expression: Expression, row: Row, schema: Mapping[str, DType]) -> tuple[Any, DType | None]:
    """Return the value of an expression and its type; None for a literal null."""
    if isinstance(expression, ColumnRef):
        value, dtype = row[expression.name], schema[expression.name]
    elif isinstance(expression, Literal):
        value, dtype = expression.value, literal_dtype(expression)
    else:
        assert isinstance(expression, Operation)
        arguments = [typed_value(argument, row, schema) for argument in expression.arguments]
        values, types = [value for value, _ in arguments], [dtype for _, dtype in arguments]
        dtype = result_dtype(expression, types)
        value = apply(expression.name, values, types, dict(expression.options), dtype)
    return None if dtype is None else as_type(value, dtype), dtype


def apply(
    name: str, arguments: Sequence[Any], types: Sequence[DType | None], options: Options, dtype: DType | None
) -> Any:
    """Return the value of one operation: null in, null out, but for those that look at nulls and ``one_hot``."""
    if name in SEES_NULLS:
        return SEES_NULLS[name](*arguments)
    if any(argument is None for argument in arguments):
        return [0.0] * len(options["categories"]) if name == "one_hot" else None
    if name in ARITHMETIC:
        numbers = arguments if dtype == Int64 else [float(argument) for argument in arguments]
        return ARITHMETIC[name](*numbers)
    if name in COMPARISONS:
        left, right = arguments if types[0] == types[1] else [float(argument) for argument in arguments]
        return COMPARISONS[name](left, right)
    if name in DISTANCES:
        return DISTANCES[name](*arguments)
    return OTHERS[name](arguments[0], options)


def kleene_and(left: bool | None, right: bool | None) -> bool | None:
    """Three-valued logic: false wins over null."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def kleene_or(left: bool | None, right: bool | None) -> bool | None:
    """Three-valued logic: true wins over null."""
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


def is_null(value: Any) -> bool:
    """Whether a value is null; never null itself."""
    return value is None


def fill_null(value: Any, other: Any) -> Any:
    """The other value instead of null."""
    return other if value is None else value


def when(condition: bool | None, value: Any, other: Any) -> Any:
    """The value where the condition is true; the other where it is false or null."""
    return value if condition is True else other


SEES_NULLS: Final[Mapping[str, Callable[..., Any]]] = {
    "and": kleene_and,
    "or": kleene_or,
    "is_null": is_null,
    "fill_null": fill_null,
    "when": when,
}


def divide(left: float, right: float) -> float | None:
    """x/0 is null."""
    return None if right == 0 else left / right


ARITHMETIC: Final[Mapping[str, Callable[..., Any]]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": divide,
    "negate": operator.neg,
}

COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
}


def one_hot(value: str, options: Options) -> list[float]:
    """One number per category: 1 for the value's; all zeros for a value outside the declared list."""
    return [1.0 if value == category else 0.0 for category in options["categories"]]


def ordinal(value: str, options: Options) -> int | None:
    """The place in the declared list; null outside it."""
    return options["categories"].index(value) if value in options["categories"] else None


def embed(value: Any, options: Options) -> list[float | None] | None:
    """The vector of a key; null for an unknown one."""
    if value not in options["keys"]:
        return None
    return [round_to_float32(x) for x in options["vectors"][options["keys"].index(value)]]


def lookup(value: Any, options: Options) -> Any:
    """The value of a key; null for an unknown one."""
    return options["values"][options["keys"].index(value)] if value in options["keys"] else None


def dot(left: Sequence[float], right: Sequence[float]) -> float:
    """The sum of the products, from the first to the last."""
    total = 0.0
    for one, other in zip(left, right, strict=True):
        total += one * other
    return total


def cosine(left: Sequence[float], right: Sequence[float]) -> float | None:
    """The cosine of the angle between two vectors; null where one has no length."""
    return divide(dot(left, right), math.sqrt(dot(left, left) * dot(right, right)))


DISTANCES: Final[Mapping[str, Callable[..., Any]]] = {"dot": dot, "cosine": cosine}


def cast(value: Any, options: Options) -> Any:
    """The value as another type; null where it cannot be one."""
    target = dtype_from_name(options["dtype"])
    if isinstance(value, str):
        return value if target == String else parse(value, target)
    if isinstance(value, datetime):
        return cast_instant(value, target)
    if target == Int64:
        return int(value)
    if target == Boolean:
        return value != 0
    if target == String:
        return str(value).lower() if isinstance(value, bool) else str(value)
    return instant_at(int(value)) if target == Timestamp else value


def instant_at(micros: int) -> datetime | None:
    """The instant so many microseconds after the Unix epoch; null outside the calendar, the years 1 to 9999."""
    return EPOCH + timedelta(microseconds=micros) if FIRST <= micros <= LAST else None


def cast_instant(instant: datetime, target: DType) -> Any:
    """An instant as text (ISO 8601, UTC, six digits), or as microseconds since the Unix epoch."""
    if target == String:
        return f"{instant.isoformat(timespec='microseconds')[:26]}Z"
    return instant if target == Timestamp else microseconds(instant)


def parse(text: str, target: DType) -> Any:
    """Text as a value: plain decimal numbers, ``true`` and ``false``, ISO 8601 instants with a zone; else null."""
    if target == Boolean:
        return {"true": True, "false": False}.get(text)
    if target == Int64:
        found = re.fullmatch(r"([+-]?)0*([0-9]{1,19})", text)
        return int(found[1] + found[2]) if found else None
    if target == Timestamp:
        return parse_instant(text)
    return float(text) if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text) else None


def parse_instant(text: str) -> datetime | None:
    """An ISO 8601 text with a zone as an instant; null where there is no such day, or none in the calendar of UTC."""
    shape = r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-]\d\d:[0-5]\d)"
    if not re.fullmatch(shape, text, re.ASCII):
        return None
    try:
        return instant_at(microseconds(datetime.fromisoformat(text)))
    except ValueError:
        return None


def weekday(instant: datetime, _options: Options) -> int:
    """The day of the week in UTC; Monday is 0."""
    return instant.weekday()


OTHERS: Final[Mapping[str, Callable[[Any, Options], Any]]] = {
    "not": lambda value, _options: not value,
    "lower": lambda value, _options: value.lower(),
    "contains": lambda value, options: options["part"] in value,
    "is_in": lambda value, options: value in options["values"],
    "cast": cast,
    "year": lambda value, _options: value.year,
    "month": lambda value, _options: value.month,
    "day": lambda value, _options: value.day,
    "hour": lambda value, _options: value.hour,
    "weekday": weekday,
    "one_hot": one_hot,
    "ordinal": ordinal,
    "bucketise": lambda value, options: sum(boundary <= float(value) for boundary in options["boundaries"]),
    "embed": embed,
    "lookup": lookup,
}
