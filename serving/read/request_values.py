"""The values of one column of a request, keys and inputs alike, checked against its type and made plain."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any, Final, cast

import numpy as np

from feature_store.columns import Array, Column, is_missing
from feature_store.dtypes import Boolean, DType, Float64, String, Timestamp
from feature_store.errors import InputError
from feature_store.expressions.casting import INSTANT

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNORDERED: Final[tuple[type, ...]] = (str, bytes, Mapping, Set)
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
_LARGEST_EXACT: Final = 2**53
_LARGEST_FLOAT: Final = int(np.finfo(np.float64).max)
_INSTANT: Final = re.compile(INSTANT)


class RequestError(InputError):
    """A request cannot be answered.

    Attributes:
        field: what is wrong: ``service``, ``keys.household_id[3]``, ``inputs.amount``, ``features[0]``, ``time``...
        message: why, and what to do instead.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def read_values(field: str, given: object, dtype: DType, what: str) -> list[Any]:
    """Return checked values: plain Python ones or None; instants are microseconds UTC, vectors are lists of floats.

    Args:
        field: of the request, for messages.
        given: a list, an array, or whatever else has an order.
        dtype: type of the values.
        what: ``key`` or ``input``, for messages.

    Raises:
        RequestError: it has no order, or holds a value of another type.
    """
    values = _listed(field, given, most_axes=2 if dtype.is_vector else 1)
    if dtype.is_integer and _is_integer_array(given):
        return values
    if dtype.is_vector:
        return [_vector(f"{field}[{place}]", value, dtype) for place, value in enumerate(values)]
    if dtype == Timestamp:
        return [_instant(f"{field}[{place}]", value) for place, value in enumerate(values)]
    wanted = _python_types(dtype)
    types = set(map(type, values))
    if not types <= {*wanted, NoneType}:
        values = _without_missing(values, whole=dtype.is_integer and not isinstance(given, list))
        types = set(map(type, values))
    if not types <= {*wanted}:
        _refuse_types(field, values, wanted, dtype, what)
    present: list[Any] = values if NoneType not in types else [value for value in values if value is not None]
    if dtype.is_integer:
        _refuse_large(field, values, present, _LEAST, _MOST, "does not fit into 64 bits")
    elif dtype == String:
        _refuse_surrogates(field, values, present)
    elif dtype.is_float and int in types:
        _refuse_large(field, values, present, -_LARGEST_FLOAT, _LARGEST_FLOAT, "does not fit a float")
    return values


def typed_column(values: list[Any], dtype: DType) -> Column:
    """Return checked values as a column of their type; what a float or a vector cannot hold is null."""
    if dtype.is_float:
        floats = np.array(values, np.float64) + 0.0  # None becomes NaN, and -0.0 becomes 0.0
        if dtype == Float64:
            return Column(floats, np.isfinite(floats))
        with np.errstate(over="ignore"):
            held = floats.astype(np.dtype(dtype.numpy))
        return Column(held, np.isfinite(held))
    valid = np.ones(len(values), np.bool_)
    if None in values:
        valid = np.array([value is not None for value in values], np.bool_)
        nothing: Any = [0.0] * dtype.length if dtype.is_vector else "" if dtype == String else 0
        values = [nothing if value is None else value for value in values]
    if dtype.is_vector:
        with np.errstate(over="ignore"):
            vectors = np.array(values, np.float64).reshape(len(values), dtype.length).astype(np.float32)
        return Column(vectors, valid & np.isfinite(vectors).all(axis=1))
    if dtype != String:
        return Column(np.array(values, np.dtype(dtype.numpy)), valid)
    column = np.empty(len(values), object)
    column[:] = values
    return Column(column, valid)


def microseconds(field: str, time: datetime) -> int:
    """Return an instant in microseconds UTC.

    Raises:
        RequestError: it has no zone.
    """
    if time.tzinfo is None:
        raise RequestError(field, f"{time.isoformat()} has no time zone: write e.g. datetime(..., tzinfo=timezone.utc)")
    return (time - _EPOCH) // timedelta(microseconds=1)


def _instant(field: str, value: object) -> int | None:
    if isinstance(value, datetime) and not is_missing(value):
        return microseconds(field, value)
    if isinstance(value, str):
        if not _INSTANT.fullmatch(value):
            message = f"{value!r} is not a time with a zone: write it as '2026-01-31T12:00:00Z'"
            raise RequestError(field, message)
        try:
            return microseconds(field, datetime.fromisoformat(value))
        except ValueError:
            raise RequestError(field, f"{value!r}: there is no such day") from None
    if not is_missing(value):
        raise RequestError(field, f"{value!r} is of type {type(value).__name__}, the input is Timestamp")
    return None


def _vector(field: str, value: Any, dtype: DType) -> list[float] | None:
    if value is None:
        return None
    elements = _listed(field, value)
    if len(elements) != dtype.length:
        raise RequestError(field, f"{len(elements)} numbers, the input is {dtype}")
    numbers = [element for element in elements if not is_missing(element)]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float | np.number):
            raise RequestError(field, f"{number!r} is of type {type(number).__name__}, the input is {dtype}")
        if isinstance(number, int) and abs(number) > _LARGEST_FLOAT:
            raise RequestError(field, f"{number} does not fit a float")
    # One without a number at every place is no vector.
    return list(map(float, numbers)) if len(numbers) == len(elements) else None


def _without_missing(values: Sequence[Any], *, whole: bool) -> list[Any]:
    """Return values with null in the place of what is missing, as pandas, numpy and Arrow spell it.

    Args:
        values: as they came.
        whole: take floats that are whole beside missing ones for integers: columns have no other place for these.
    """
    nulls = [None if is_missing(value) else value for value in values]
    if whole and None in nulls and all(value is None or _is_exact(value) for value in nulls):
        return [None if value is None else int(value) for value in nulls]
    return nulls


def _is_exact(value: object) -> bool:
    """Whether a float is a whole number, and no other whole number is the same float."""
    return isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_EXACT


def _is_integer_array(given: object) -> bool:
    """Whether numpy vouches for every value."""
    return isinstance(given, np.ndarray) and cast("Array", given).dtype.kind == "i"


def _python_types(dtype: DType) -> tuple[type, ...]:
    if dtype.is_float:
        return (float, int)
    if dtype == Boolean:
        return (bool,)
    return (int,) if dtype.is_integer else (str,)


_NUMPY: Final[Mapping[type, type]] = {int: np.integer, float: np.floating, str: np.str_, bool: np.bool_}
"""Types of numpy's own scalars, by the type they are made."""


def _listed(field: str, given: Any, most_axes: int = 1) -> list[Any]:
    """Return the values of a list, an array or whatever else has an order."""
    if type(given) is list:
        # Checking makes numpy's scalars plain in place: the caller's list stays as it is.
        return cast("list[Any]", given).copy()
    has_order = hasattr(given, "__iter__") and not issubclass(type(given), _UNORDERED)
    if not has_order or not 1 <= getattr(given, "ndim", 1) <= most_axes:
        raise RequestError(field, f"{given!r} is not a list: give one value per entity, e.g. [900, 901]")
    # Arrow's arrays give scalars of its own when they are iterated over; numpy's, plain values when asked for a list.
    to_list = getattr(given, "to_pylist", None) or getattr(given, "tolist", None)
    return list(given) if to_list is None else to_list()


def _refuse_types(field: str, values: list[Any], wanted: tuple[type, ...], dtype: DType, what: str) -> None:
    """Raise for the first value of a wrong type; numpy's own scalars are made plain where their type is wanted."""
    for place, value in enumerate(values):
        plain = _as_plain(value, wanted)
        if plain is not None:
            values[place] = plain
        elif isinstance(value, float) and wanted == (int,) and value.is_integer() and abs(value) >= -_LEAST:
            # As which readers of JSON give whole numbers that they have no room for.
            raise RequestError(f"{field}[{place}]", f"{value:.0f} does not fit into 64 bits")
        elif type(value) not in wanted and value is not None:
            kind = type(value).__name__
            raise RequestError(f"{field}[{place}]", f"{value!r} is of type {kind}, the {what} is {dtype.name}")


def _as_plain(value: object, wanted: tuple[type, ...]) -> object:
    """Return a scalar of numpy as Python's own of a wanted type; None: it is none."""
    return next((python(value) for python in wanted if isinstance(value, _NUMPY[python])), None)


def _refuse_large(
    field: str, values: Sequence[Any], present: Sequence[Any], least: int, most: int, problem: str
) -> None:
    whole = [value for value in present if isinstance(value, int)]
    if whole and not (min(whole) >= least and max(whole) <= most):
        place = next(at for at, each in enumerate(values) if isinstance(each, int) and not least <= each <= most)
        raise RequestError(f"{field}[{place}]", f"{values[place]} {problem}")


def _refuse_surrogates(field: str, values: Sequence[Any], present: Sequence[str]) -> None:
    try:
        "".join(present).encode()
    except UnicodeEncodeError:
        place = next(at for at, each in enumerate(values) if any("\ud800" <= char <= "\udfff" for char in str(each)))
        raise RequestError(f"{field}[{place}]", f"{values[place]!r} is not valid Unicode") from None
