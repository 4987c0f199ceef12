"""Two spellings of an expression: readable for people and the catalog, canonical for fingerprints and plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

from feature_store.dtypes import dtype_from_name
from feature_store.expressions.nodes import ColumnRef, Expression, Literal, Operation, Option, Scalar
from feature_store.expressions.operations import SIGNATURES
from feature_store.temporal.instants import from_microseconds, to_microseconds


def to_text(expression: Expression) -> str:
    """Return an expression as people read it.

    >>> to_text((ColumnRef("sales") - 1) / ColumnRef("quantity"))
    '(sales - 1) / quantity'
    >>> to_text(ColumnRef("department").lower().is_in(["deli", "dairy"]))
    "lower(department) in ['deli', 'dairy']"
    """
    if isinstance(expression, ColumnRef):
        return expression.name
    if isinstance(expression, Literal):
        return _scalar_text(expression.value)
    assert isinstance(expression, Operation)
    signature = SIGNATURES[expression.name]
    arguments = [_argument_text(argument, signature.infix) for argument in expression.arguments]
    options = {name: _option_text(value) for name, value in expression.options if f"{{{name}" in signature.text}
    return signature.text.format(*arguments, **options)


def to_canonical(expression: Expression) -> object:
    """Return what determines the values of an expression, as JSON; equal only for equal expressions.

    The types of source columns are a part of it: the same words over columns of other types give other values.

    >>> to_canonical(ColumnRef("a") + 1)
    ['add', [['column', 'a'], ['int', 1]], {}]
    """
    if isinstance(expression, ColumnRef):
        return ["column", expression.name, *([expression.dtype.name] if expression.dtype else [])]
    if isinstance(expression, Literal):
        value = expression.value
        return [type(value).__name__, to_microseconds(value) if isinstance(value, datetime) else value]
    assert isinstance(expression, Operation)
    prose = SIGNATURES[expression.name].prose
    options = {name: value for name, value in expression.options if name not in prose}
    return [expression.name, [to_canonical(argument) for argument in expression.arguments], options]


def from_canonical(canonical: Any) -> Expression:
    """Return the expression that ``to_canonical`` spelled, also after a way through JSON; without prose options.

    >>> to_text(from_canonical(["add", [["column", "a"], ["int", 1]], {}]))
    'a + 1'
    """
    name, *rest = canonical
    if name == "column":
        return ColumnRef(rest[0], *map(dtype_from_name, rest[1:]))
    if name in _LITERALS:
        return Literal(_LITERALS[name](rest[0]))
    arguments, options = rest
    read = tuple((option, _option(value)) for option, value in options.items())
    return Operation(name, tuple(from_canonical(argument) for argument in arguments), read)


def _option(value: Any) -> Option:
    if not isinstance(value, list | tuple):
        return value
    return tuple(_option(member) for member in cast("Sequence[Any]", value))


_LITERALS: Final[Mapping[str, Callable[[Any], Scalar | None]]] = {
    "NoneType": lambda _value: None,
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "datetime": from_microseconds,
}


def _argument_text(argument: Expression, within_infix: bool) -> str:
    text = to_text(argument)
    if within_infix and isinstance(argument, Operation) and SIGNATURES[argument.name].infix:
        return f"({text})"
    return text


def _scalar_text(value: Scalar | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else repr(value)


def _option_text(value: Option) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(repr(member) for member in value)}]"
    return str(value)
