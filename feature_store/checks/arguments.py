"""Arguments of public functions, checked when they are called: Python itself takes anything for anything."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Final, Literal, NamedTuple, ParamSpec, TypeVar, cast

from feature_store.checks.declared import one_of, shown
from feature_store.errors import DefinitionError, InputError

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class Misfit(NamedTuple):
    """A fault of a call, and what to do instead."""

    problem: str
    instead: str


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that refuses arguments that are not what its annotations say by an ``InputError``.

    Choices must be one of those listed, times must have a zone, and a text is no list.
    """
    return _checking(function, _refuse_input)


def checked_declaration(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that refuses as ``checked`` does, by a ``DefinitionError``."""
    return _checking(function, _refuse_definition)


def checked_class(declared: type[C]) -> type[C]:
    """Return a class whose arguments are checked as by ``checked_declaration``."""
    constructor: Any = declared.__init__
    declared.__init__ = checked_declaration(constructor)
    return declared


def is_checked(function: object) -> bool:
    """Whether the arguments of a function are checked."""
    return getattr(function, _MARK, False)


_MARK: Final = "__arguments_are_checked__"


def _refuse_input(name: str, misfit: Misfit) -> None:
    raise InputError(f"{name}: {misfit.problem}: {misfit.instead}")


def _refuse_definition(name: str, misfit: Misfit) -> None:
    raise DefinitionError(name, *misfit)


def _checking(function: Callable[P, R], refuse: Callable[[str, Misfit], None]) -> Callable[P, R]:
    signature = inspect.signature(function)
    name = function.__qualname__.removesuffix(".__init__")

    @functools.cache
    def hints() -> dict[str, Any]:
        return typing.get_type_hints(function)

    @functools.wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            bound = signature.bind(*arguments, **options)
        except TypeError as error:
            refuse(name, Misfit(str(error), f"it takes {', '.join(_names(signature))}"))
        else:
            for parameter, value in bound.arguments.items():
                misfit = _misfit(parameter, value, hints().get(parameter, Any))
                if misfit is not None:
                    refuse(name, misfit)
        return function(*arguments, **options)

    setattr(call, _MARK, True)
    return call


def _names(signature: inspect.Signature) -> list[str]:
    return [name for name in signature.parameters if name != "self"]


def _misfit(parameter: str, value: object, hint: Any) -> Misfit | None:
    if isinstance(value, datetime) and value.tzinfo is None and datetime in _alternatives(hint):
        return Misfit(f"{parameter}={value.isoformat()} has no time zone", "write datetime(..., tzinfo=UTC)")
    if _fits(value, hint):
        return None
    choices = [str(each) for one in _alternatives(hint) for each in typing.get_args(one) if _is(one, Literal)]
    if choices:
        return Misfit(f"{parameter}={shown(value)} is none of its choices", one_of(value, choices))
    text = " ".join(shown(value).split())
    return Misfit(f"{parameter}={text} is of type {type(value).__name__}", f"give {_described(hint)}")


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if _is(hint, UnionType) or _is(hint, typing.Union) else (hint,)


def _is(hint: Any, origin: object) -> bool:
    return typing.get_origin(hint) is origin


def _fits(value: Any, hint: Any) -> bool:
    alternatives = _alternatives(hint)
    if len(alternatives) > 1:
        return any(_fits(value, one) for one in alternatives)
    if hint is None or hint is NoneType:
        return value is None
    origin = typing.get_origin(hint) or hint
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in typing.get_args(hint))
    if origin is Any or not isinstance(origin, type) or getattr(origin, "_is_protocol", False):
        return True  # a protocol is looked for where it is used
    return _is_instance(value, origin) and _members_fit(value, origin, typing.get_args(hint))


def _is_instance(value: Any, wanted: type) -> bool:
    if wanted in (int, float) and isinstance(value, bool):
        return False
    if isinstance(value, str | bytes) and issubclass(wanted, Collection) and wanted not in (str, bytes):
        return False
    return isinstance(value, (int, float)) if wanted is float else isinstance(value, wanted)


def _members_fit(value: Any, origin: type, of: tuple[Any, ...]) -> bool:
    if not of or not isinstance(value, Collection) or issubclass(origin, Mapping) or not issubclass(origin, Collection):
        return True
    return all(_fits(member, of[0]) for member in cast("Collection[Any]", value))


def _described(hint: Any) -> str:
    names = [_name(one) for one in _alternatives(hint)]
    return " or ".join(names)


def _name(hint: Any) -> str:
    if hint is None or hint is NoneType:
        return "None"
    of = [_described(one) for one in typing.get_args(hint) if not isinstance(one, list)]
    plain = getattr(typing.get_origin(hint) or hint, "__name__", str(hint))
    return f"{plain} of {', '.join(of)}" if of and plain != "Callable" else plain
