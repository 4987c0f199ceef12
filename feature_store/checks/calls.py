"""Calls of the functions and classes that declare: what is wrong with one, and where in a class body it stands."""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import ParamSpec, TypeVar, cast

from feature_store.checks.declared import one_of
from feature_store.errors import DefinitionError

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


def declares(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that refuses a call with missing or unknown arguments by a ``DefinitionError``."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> R:
        _check(function.__name__.rstrip("_"), signature, arguments, options)
        return function(*arguments, **options)

    return call


def declared_by_call(declared: type[C]) -> type[C]:
    """Return a class whose instances are declarations: see ``declares``."""
    initialise = cast("Callable[..., None]", declared.__init__)
    signature = inspect.signature(declared)

    @functools.wraps(initialise)
    def call(self: C, *arguments: object, **options: object) -> None:
        _check(declared.__name__, signature, arguments, options)
        initialise(self, *arguments, **options)

    declared.__init__ = call
    return declared


def check_given(where: str, what: str, options: Mapping[str, object], known: type) -> None:
    """Refuse unknown options, and that required ones are missing.

    Args:
        where: what is declared, for messages.
        what: the function that takes the options.
        options: as given.
        known: the ``TypedDict`` of all options.
    """
    names = list(known.__annotations__)
    _refuse_unknown(where, what, options, names)
    required = cast("frozenset[str]", getattr(known, "__required_keys__", frozenset[str]()))
    _refuse_missing(where, what, [name for name in names if name in required and name not in options])


def written_place() -> str | None:
    """Return the class and the name to which the declaration that is running will belong, ``Spend.spend_7d``.

    None: no class body is running, or the line gives its value no name.
    """
    frame = class_body()
    if frame is None:
        return None
    name = _assigned(frame)
    return None if name is None else f"{frame.f_locals['__qualname__'].rpartition('.')[2]}.{name}"


def class_body() -> FrameType | None:
    """Return the frame of the class body that is running, if any: the innermost that is not a function."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # leave the functions, our own first
        frame = frame.f_back
    return frame if frame is not None and "__qualname__" in frame.f_locals else None


def _assigned(frame: FrameType) -> str | None:
    """Return the name to which the running statement of a class body assigns its value."""
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.offset > frame.f_lasti and instruction.opname == "STORE_NAME":
            line = None if instruction.positions is None else instruction.positions.lineno
            return instruction.argval if line is not None and line <= frame.f_lineno else None
    return None


def _check(
    name: str, signature: inspect.Signature, arguments: tuple[object, ...], options: Mapping[str, object]
) -> None:
    try:
        signature.bind(*arguments, **options)
    except TypeError as error:
        problem = str(error)
    else:
        return
    parameters = list(signature.parameters.values())
    if parameters and parameters[0].name == "self":
        parameters, arguments = parameters[1:], arguments[1:]
    first = f"({arguments[0]!r}, ...)" if arguments and isinstance(arguments[0], str) else "(...)"
    where = written_place() or f"{name}{first}"
    named = [each for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD]
    if len(named) == len(parameters):
        _refuse_unknown(where, name, options, [each.name for each in named])
    by_place = [each for each in named if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    if len(arguments) > len(by_place):
        takes = ", ".join(each.name for each in by_place) or "none"
        problem = f"{_of(where, name)}is given {len(arguments)} arguments by place, but takes {takes} so"
        raise DefinitionError(where, problem, "write the others as name=value")
    twice = [each.name for each in by_place[: len(arguments)] if each.name in options]
    if twice:
        raise DefinitionError(where, f"{_of(where, name)}is given {twice[0]} twice", "give it once")
    given = {each.name for each in by_place[: len(arguments)]} | options.keys()
    _refuse_missing(
        where, name, [e.name for e in named if e.default is inspect.Parameter.empty and e.name not in given]
    )
    raise DefinitionError(where, f"{name}: {problem}", f"call {name}{signature}")


def _refuse_unknown(where: str, what: str, options: Iterable[str], known: list[str]) -> None:
    unknown = sorted(name for name in options if name not in known)
    if unknown:
        raise DefinitionError(where, f"{_of(where, what)}has no option {unknown[0]!r}", _instead(unknown[0], known))


def _refuse_missing(where: str, what: str, missing: list[str]) -> None:
    if missing:
        listed = ", ".join(f"{name}=" for name in missing)
        raise DefinitionError(where, f"{_of(where, what)}is not given {listed}", f"give {what}(..., {missing[0]}=...)")


def _of(where: str, what: str) -> str:
    """Return what a problem is of, where that is not said already."""
    return "" if where.startswith(f"{what}(") else f"{what} "


def _instead(name: str, known: list[str]) -> str:
    meant = _OTHER_WORDS.get(name)
    return f"write {meant}=" if meant in known else one_of(name, known)


_OTHER_WORDS = {
    "window": "over",
    "span": "over",
    "period": "over",
    "filter": "where",
    "step": "hop",
    "slide": "hop",
    "group_by": "by",
    "desc": "description",
    "type": "dtype",
    "fill": "default",
    "team": "owner",
    "schedule": "cadence",
    "every": "cadence",
    "sla": "freshness",
    "join_keys": "keys",
    "schema": "columns",
    "timestamp": "event_time",
}
"""The names that other feature stores, and people, have for our options."""
