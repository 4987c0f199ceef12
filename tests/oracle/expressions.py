"""What expressions mean, one row at a time, in plain Python.

Values are None, int, float, bool, str, timezone-aware datetime, or a list of floats (vectors). A float is never NaN,
infinite or -0.0: those become None and 0.0 wherever they come up.
"""

from __future__ import annotations

import math
import re
import struct
from datetime import UTC, datetime, timedelta

from feature_store import Boolean, DType, Float32, Int64, String, Timestamp
from feature_store.dtypes import dtype_from_name
from feature_store.expressions.nodes import ColumnRef, Expression, Literal
from feature_store.expressions.operations import infer_dtype

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


def as_type(value, dtype: DType):
    """The value as a column of that type holds it: clean floats, integers within Int64, instants in UTC."""
    if value is None or dtype.is_vector:
        return value
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
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0] + 0.0
    except OverflowError:
        return None


def evaluate(expression: Expression, row: dict, schema: dict[str, DType]):
    """The value of an expression over one row whose columns have these types."""
    dtype = infer_dtype(expression, schema)
    if isinstance(expression, ColumnRef):
        value = row[expression.name]
    elif isinstance(expression, Literal):
        value = expression.value
    else:
        arguments = [evaluate(argument, row, schema) for argument in expression.arguments]
        types = [infer_dtype(argument, schema) for argument in expression.arguments]
        value = apply(expression.name, arguments, types, dict(expression.options), dtype)
    return None if dtype is None else as_type(value, dtype)


def apply(name: str, arguments: list, types: list, options: dict, dtype: DType | None):
    if name in SEES_NULLS:
        return SEES_NULLS[name](*arguments)
    if any(argument is None for argument in arguments):
        return {"one_hot": [0.0] * len(options.get("categories", ()))}.get(name)
    if name in ARITHMETIC:
        numbers = arguments if dtype == Int64 else [float(argument) for argument in arguments]
        return ARITHMETIC[name](*numbers)
    if name in COMPARISONS:
        same = types[0] == types[1]
        return COMPARISONS[name](*(arguments if same else [float(argument) for argument in arguments]))
    return OTHERS[name](arguments[0], options)


def divide(left: float, right: float) -> float | None:
    return None if right == 0 else left / right


def kleene_and(left, right):
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def kleene_or(left, right):
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


SEES_NULLS = {
    "and": kleene_and,
    "or": kleene_or,
    "is_null": lambda value: value is None,
    "fill_null": lambda value, other: other if value is None else value,
    "when": lambda condition, value, other: value if condition is True else other,
}

ARITHMETIC = {
    "add": lambda left, right: left + right,
    "subtract": lambda left, right: left - right,
    "multiply": lambda left, right: left * right,
    "divide": lambda left, right: divide(float(left), float(right)),
    "negate": lambda value: -value,
}

COMPARISONS = {
    "equal": lambda left, right: left == right,
    "not_equal": lambda left, right: left != right,
    "less": lambda left, right: left < right,
    "less_equal": lambda left, right: left <= right,
    "greater": lambda left, right: left > right,
    "greater_equal": lambda left, right: left >= right,
}


def one_hot(value, options):
    return [1.0 if value == category else 0.0 for category in options["categories"]]


def ordinal(value, options):
    return options["categories"].index(value) if value in options["categories"] else None


def embed(value, options):
    if value not in options["keys"]:
        return None
    return [round_to_float32(x) for x in options["vectors"][options["keys"].index(value)]]


def cast(value, options):
    target = dtype_from_name(options["dtype"])
    if isinstance(value, str) and target != String:
        return parse(value, target)
    if isinstance(value, datetime) and target != Timestamp:
        return f"{value:%Y-%m-%dT%H:%M:%S.%f}Z" if target == String else microseconds(value)
    if target == Int64:
        return int(value)
    if target == Boolean:
        return value != 0
    if target == String:
        return str(value).lower() if isinstance(value, bool) else str(value)
    if target == Timestamp and not isinstance(value, datetime):
        return EPOCH + timedelta(microseconds=int(value))
    return value


def parse(text: str, target: DType):
    if target == Boolean:
        return {"true": True, "false": False}.get(text)
    if target == Int64:
        return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None
    if target == Timestamp:
        shape = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)"
        try:
            return datetime.fromisoformat(text).astimezone(UTC) if re.fullmatch(shape, text, re.ASCII) else None
        except ValueError:
            return None
    return float(text) if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text) else None


OTHERS = {
    "not": lambda value, _options: not value,
    "lower": lambda value, _options: value.lower(),
    "contains": lambda value, options: options["part"] in value,
    "is_in": lambda value, options: value in options["values"],
    "cast": cast,
    "year": lambda value, _options: value.year,
    "month": lambda value, _options: value.month,
    "day": lambda value, _options: value.day,
    "hour": lambda value, _options: value.hour,
    "weekday": lambda value, _options: value.weekday(),
    "one_hot": one_hot,
    "ordinal": ordinal,
    "bucketise": lambda value, options: sum(boundary <= float(value) for boundary in options["boundaries"]),
    "embed": embed,
}
