"""Expression trees: what users write with ``col("x") * 2``; engines compile them, nobody interprets them here.

Longer than other modules: every operator and method that users can write stands here once, with what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from feature_store.checks.calls import written_place
from feature_store.dtypes import DType
from feature_store.errors import DefinitionError, MissingAttributeError

Scalar = int | float | bool | str | datetime
Option = int | float | bool | str | tuple["Option", ...]


def _undefined(symbol: str) -> Callable[..., NoReturn]:
    def refuse(self: Expression, *_others: object) -> NoReturn:
        raise _refusal(self, f"{symbol} is not defined", f"use {_OPERATORS} {_methods()}")

    return refuse


def _refusal(expression: Expression, problem: str, instead: str) -> DefinitionError:
    """Return what says that something cannot be written, in the class and feature whose line is running, if known."""
    place = written_place()
    if place is None:
        return DefinitionError(repr(expression), problem, instead)
    return DefinitionError(place, f"{expression!r}: {problem}", instead)


class Expression:
    """A value computed per row. Operators build larger expressions; nothing is computed here.

    Nulls: every operation on a null is null, but for ``&`` and ``|`` (three-valued logic), ``is_null``, ``fill_null``
    and ``when``. Division is always Float64 and x/0 is null.

    Attributes:
        depth: how many operations stand within one another.
    """

    depth: int = 0

    def __add__(self, other: Operand) -> Operation:
        return operation("add", self, other)

    def __radd__(self, other: Operand) -> Operation:
        return operation("add", other, self)

    def __sub__(self, other: Operand) -> Operation:
        return operation("subtract", self, other)

    def __rsub__(self, other: Operand) -> Operation:
        return operation("subtract", other, self)

    def __mul__(self, other: Operand) -> Operation:
        return operation("multiply", self, other)

    def __rmul__(self, other: Operand) -> Operation:
        return operation("multiply", other, self)

    def __truediv__(self, other: Operand) -> Operation:
        return operation("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Operation:
        return operation("divide", other, self)

    def __neg__(self) -> Operation:
        return operation("negate", self)

    def __eq__(self, other: Operand) -> Operation:  # type: ignore[override] # comparisons build expressions
        return operation("equal", self, other)

    def __ne__(self, other: Operand) -> Operation:  # type: ignore[override]
        return operation("not_equal", self, other)

    def __lt__(self, other: Operand) -> Operation:
        return operation("less", self, other)

    def __le__(self, other: Operand) -> Operation:
        return operation("less_equal", self, other)

    def __gt__(self, other: Operand) -> Operation:
        return operation("greater", self, other)

    def __ge__(self, other: Operand) -> Operation:
        return operation("greater_equal", self, other)

    def __and__(self, other: Operand) -> Operation:
        return operation("and", self, other)

    def __rand__(self, other: Operand) -> Operation:
        return operation("and", other, self)

    def __or__(self, other: Operand) -> Operation:
        return operation("or", self, other)

    def __ror__(self, other: Operand) -> Operation:
        return operation("or", other, self)

    def __invert__(self) -> Operation:
        return operation("not", self)

    __hash__ = object.__hash__

    __mod__ = __rmod__ = _undefined("%")
    __floordiv__ = __rfloordiv__ = _undefined("//")
    __pow__ = __rpow__ = _undefined("**")
    __xor__ = __rxor__ = _undefined("^")
    __matmul__ = __rmatmul__ = _undefined("@")
    __abs__ = _undefined("abs(...)")
    __round__ = _undefined("round(...)")
    __pos__ = _undefined("unary +")
    __getitem__ = _undefined("[...]")
    if not TYPE_CHECKING:  # tools know by themselves what is not there
        __iter__ = _undefined("iterating (for, sum(...), unpacking)")
        __contains__ = _undefined("in")
        __len__ = _undefined("len(...)")
        __float__ = __complex__ = _undefined("a function of plain numbers, as float(...) and those of math,")
        __int__ = __index__ = __trunc__ = _undefined("int(...)")
        __floor__ = _undefined("math.floor(...)")
        __ceil__ = _undefined("math.ceil(...)")
        __divmod__ = __rdivmod__ = _undefined("divmod(...)")
        __lshift__ = __rlshift__ = _undefined("<<")
        __rshift__ = __rrshift__ = _undefined(">>")

        def __array_ufunc__(self, function: object, *_rest: object, **_options: object) -> NoReturn:
            name = getattr(function, "__name__", function)
            instead = f"use {_OPERATORS} {_methods()}; write float(x) or int(x) for a number of numpy"
            raise _refusal(self, f"{name} of numpy is not defined", instead)

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            place = written_place()
            where, what = (repr(self), "") if place is None else (place, f"{self!r}: ")
            raise MissingAttributeError(where, f"{what}.{name} is not defined", f"use {_OPERATORS} {_methods()}")

    def __repr__(self) -> str:
        return f"an expression over {', '.join(column_names(self)) or 'features'}"

    def __bool__(self) -> NoReturn:
        raise _refusal(
            self,
            "has no truth value; it is used with and, or, not, in, if, or in a chain a < b < c",
            "use & | ~, is_in(...), when(...), and (a < b) & (b < c)",
        )

    def is_null(self) -> Operation:
        """Whether the value is null; never null itself."""
        return operation("is_null", self)

    def is_not_null(self) -> Operation:
        """Whether the value is not null; never null itself."""
        return ~self.is_null()

    def fill_null(self, value: Operand) -> Operation:
        """The value, or ``value`` where it is null."""
        return operation("fill_null", self, value)

    def lower(self) -> Operation:
        """The string in lower case; letters newer than Unicode 14, which not all engines know, may stay as they are."""
        return operation("lower", self)

    def contains(self, part: str) -> Operation:
        """Whether the string contains ``part``, taken literally."""
        return operation("contains", self, options={"part": part})

    def is_in(self, values: Sequence[int | str]) -> Operation:
        """Whether the value is one of ``values``; null for null."""
        return operation("is_in", self, options={"values": members(values)})

    def cast(self, dtype: DType) -> Operation:
        """The value as another type, null where that type cannot hold it; see ``feature_store.expressions.casting``."""
        return operation("cast", self, options={"dtype": repr(dtype)})

    def year(self) -> Operation:
        """Calendar year of a timestamp, UTC."""
        return operation("year", self)

    def month(self) -> Operation:
        """Month of a timestamp, 1 to 12, UTC."""
        return operation("month", self)

    def day(self) -> Operation:
        """Day of the month of a timestamp, 1 to 31, UTC."""
        return operation("day", self)

    def hour(self) -> Operation:
        """Hour of a timestamp, 0 to 23, UTC."""
        return operation("hour", self)

    def weekday(self) -> Operation:
        """Day of the week of a timestamp, Monday being 0, UTC."""
        return operation("weekday", self)


_OPERATORS: Final = "+ - * / == != < <= > >= & | ~"


def _methods() -> str:
    return " ".join(f".{name}(...)" for name, value in vars(Expression).items() if name[0] != "_" and callable(value))


@dataclass(frozen=True, eq=False, repr=False)
class ColumnRef(Expression):
    """A column of the source, or in a derived feature another feature of the view.

    Attributes:
        name: of the column.
        dtype: its type, once the expression is checked against a source: the same words over another type mean another
            thing.
    """

    name: str
    dtype: DType | None = None


class RequestRef(ColumnRef):
    """An input that comes with a request: in a training set a column of the spine."""


@dataclass(frozen=True, eq=False, repr=False)
class Literal(Expression):
    """A constant; timestamps carry a zone."""

    value: Scalar | None


@dataclass(frozen=True, eq=False, repr=False)
class Operation(Expression):
    """An operation on other expressions; ``name`` is a key of ``operations.SIGNATURES``."""

    name: str
    arguments: tuple[Expression, ...]
    options: tuple[tuple[str, Option], ...] = ()
    depth: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 1 + max(argument.depth for argument in self.arguments))

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_parts, (_parts(self),)


Operand = Expression | Scalar | None


def as_expression(value: Operand) -> Expression:
    """Return an operand as an expression: constants become literals."""
    return value if isinstance(value, Expression) else Literal(value)


def operation(name: str, *arguments: Operand, options: dict[str, Option] | None = None) -> Operation:
    """Build an operation from operands."""
    return Operation(name, tuple(as_expression(argument) for argument in arguments), tuple((options or {}).items()))


_Part = Expression | tuple[str, tuple[int, ...], tuple[tuple[str, Option], ...]]
"""A leaf, or the name of an operation, the places of its arguments and its options."""


def _parts(whole: Operation) -> list[_Part]:
    """Return an expression as a list in which arguments come first: pickling walks through it without recursion."""
    places: dict[int, int] = {}
    parts: list[_Part] = []
    waiting: list[Expression] = [whole]
    while waiting:
        node = waiting[-1]
        inner = node.arguments if isinstance(node, Operation) else ()
        missing = [argument for argument in inner if id(argument) not in places]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        if id(node) not in places:
            places[id(node)] = len(parts)
            arguments = tuple(places[id(argument)] for argument in inner)
            parts.append((node.name, arguments, node.options) if isinstance(node, Operation) else node)
    return parts


def _from_parts(parts: Sequence[_Part]) -> Expression:
    built: list[Expression] = []
    for part in parts:
        if isinstance(part, Expression):
            built.append(part)
        else:
            name, arguments, options = part
            built.append(Operation(name, tuple(built[place] for place in arguments), options))
    return built[-1]


def members(values: object) -> Option:
    """Return listed values as an option; what is no list stays as it is, to be refused with the feature's name."""
    if isinstance(values, Sequence) and not isinstance(values, str | bytes):
        return tuple(cast("Sequence[Option]", values))
    return cast("Option", values)


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and everything in it, outermost and leftmost first."""
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Operation):
            waiting.extend(reversed(node.arguments))


def column_names(expression: Expression) -> list[str]:
    """Return the columns an expression reads, in order of first use.

    >>> column_names(ColumnRef("a") + ColumnRef("b") * ColumnRef("a"))
    ['a', 'b']
    """
    return list(dict.fromkeys(node.name for node in walk(expression) if isinstance(node, ColumnRef)))


def replace_leaves(expression: Expression, replacement: Callable[[Expression], Expression]) -> Expression:
    """Return an expression in which everything that is no operation is replaced."""
    if not isinstance(expression, Operation):
        return replacement(expression)
    arguments = tuple(replace_leaves(argument, replacement) for argument in expression.arguments)
    return Operation(expression.name, arguments, expression.options)


def replace_columns(expression: Expression, replacement: Callable[[str], ColumnRef]) -> Expression:
    """Return an expression that reads other columns: ``replacement`` gives one for each name."""
    return replace_leaves(expression, lambda leaf: replacement(leaf.name) if isinstance(leaf, ColumnRef) else leaf)
