"""A caller's request, checked, for the client and the server alike: every error names the field that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any, Final, cast

import numpy as np

from feature_store.columns import Array, Column, is_missing
from feature_store.dtypes import DType
from feature_store.errors import InputError
from feature_store.plans.service_plan import ServicePlan

KeyValue = int | str | None

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNORDERED: Final[tuple[type, ...]] = (str, bytes, Mapping, Set)
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
_LARGEST_EXACT: Final = 2**53


class RequestError(InputError):
    """A request cannot be answered.

    Attributes:
        field: what is wrong: ``service``, ``keys.household_id[3]``, ``features[0]``, ``time``...
        message: why, and what to do instead.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class UnknownServiceError(RequestError):
    """No plan describes the feature service that was asked for."""


@dataclass(frozen=True)
class RequestKeys:
    """The entities of a request, or of several together.

    Attributes:
        count: how many.
        values: by request column, as they came, all of the key's type or null.
    """

    count: int
    values: dict[str, list[KeyValue]]


def read_keys(plan: ServicePlan, keys: object) -> RequestKeys:
    """Check the keys of a request against the service's.

    Args:
        plan: of the service asked.
        keys: a mapping from request column to a list (or array) of whole numbers, strings or nulls.

    Raises:
        RequestError: a column is missing, unknown, of another length, or holds a value of another type.
    """
    wanted = plan.keys
    if not isinstance(keys, Mapping):
        raise RequestError("keys", f'give the key columns with their values, e.g. {{"{next(iter(wanted))}": [1, 2]}}')
    given = cast("Mapping[object, object]", keys)
    for name in given:
        if name not in wanted:
            raise RequestError(f"keys.{name}", f"not a key of {plan.full_name}; its keys are {', '.join(wanted)}")
    values: dict[str, list[KeyValue]] = {}
    for name, dtype in wanted.items():
        if name not in given:
            raise RequestError(f"keys.{name}", f"missing: {plan.full_name} needs this key ({dtype.name})")
        values[name] = _key_values(name, given[name], dtype)
    counts = set(map(len, values.values()))
    if len(counts) != 1:
        lengths = {name: len(column) for name, column in values.items()}
        raise RequestError("keys", f"columns of unequal lengths {lengths}: give every entity a value, or null, in each")
    return RequestKeys(counts.pop(), values)


def read_features(features: object) -> tuple[str, ...] | None:
    """Check the names of the features wanted; None: all of the service's.

    Raises:
        RequestError: it is no list, or holds something else than names.
    """
    if features is None:
        return None
    if isinstance(features, str) or not isinstance(features, Sequence):
        raise RequestError("features", f"{features!r} is not a list of feature names")
    names = tuple(cast("Sequence[object]", features))
    for place, name in enumerate(names):
        if not isinstance(name, str):
            raise RequestError(f"features[{place}]", f"{name!r} is not a feature name")
    return cast("tuple[str, ...]", names)


def key_column(values: list[KeyValue], dtype: DType) -> Column:
    """Return checked key values as a typed column."""
    valid = np.ones(len(values), np.bool_)
    filled: list[Any] = values
    if None in values:
        valid = np.array([value is not None for value in values], np.bool_)
        nothing = _python_type(dtype)()
        filled = [nothing if value is None else value for value in values]
    if dtype.is_integer:
        return Column(np.array(filled, np.int64), valid)
    column = np.empty(len(values), object)
    column[:] = filled
    return Column(column, valid)


def select_features(plan: ServicePlan, features: Sequence[str]) -> ServicePlan:
    """Return the plan with only some of its features, in the order asked for.

    Raises:
        RequestError: the service has no such feature, or one is named twice.
    """
    outputs = {output.name: output for output in plan.outputs}
    for place, name in enumerate(features):
        if name not in outputs:
            raise RequestError(
                f"features[{place}]", f"{name!r} is not in {plan.full_name}; it has {', '.join(outputs)}"
            )
        if name in features[:place]:
            raise RequestError(f"features[{place}]", f"{name!r} is named twice")
    return replace(plan, outputs=tuple(outputs[name] for name in features))


def read_time(time: datetime | None) -> int:
    """Return T in microseconds UTC; None: now.

    Raises:
        RequestError: it is no time, or has no zone.
    """
    if time is None:
        return (datetime.now(UTC) - _EPOCH) // timedelta(microseconds=1)
    if not isinstance(time, datetime):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not check types
        raise RequestError("time", f"{time!r} is not a datetime: write e.g. datetime(..., tzinfo=timezone.utc)")
    if time.tzinfo is None:
        raise RequestError(
            "time", f"{time.isoformat()} has no time zone: write e.g. datetime(..., tzinfo=timezone.utc)"
        )
    return (time - _EPOCH) // timedelta(microseconds=1)


def _key_values(name: str, given: object, dtype: DType) -> list[KeyValue]:
    values = _listed(name, given)
    if dtype.is_integer and _is_integer_array(given):
        return values
    wanted = _python_type(dtype)
    types = set(map(type, values))
    if not types <= {wanted, NoneType}:
        values = _without_missing(values, whole=dtype.is_integer and not isinstance(given, list))
        types = set(map(type, values))
    present: list[Any] = values
    if len(types) != 1 or wanted not in types:
        _refuse_types(f"keys.{name}", values, wanted, dtype)
        present = [value for value in values if value is not None]
    if dtype.is_integer:
        _refuse_large(name, values, present)
    else:
        _refuse_surrogates(name, values, present)
    return values


def _without_missing(values: Sequence[Any], *, whole: bool) -> list[KeyValue]:
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


def _python_type(dtype: DType) -> type[int] | type[str]:
    return int if dtype.is_integer else str


def _listed(name: str, given: Any) -> list[KeyValue]:
    """Return the values of a list, an array or whatever else has an order."""
    if type(given) is list:
        # Checking makes numpy's scalars plain in place: the caller's list stays as it is.
        return cast("list[KeyValue]", given).copy()
    has_order = hasattr(given, "__iter__") and not issubclass(type(given), _UNORDERED)
    if not has_order or getattr(given, "ndim", 1) != 1:
        raise RequestError(f"keys.{name}", f"{given!r} is not a list: give one value per entity, e.g. [900, 901]")
    # Arrow's arrays give scalars of its own when they are iterated over; numpy's, plain values when asked for a list.
    to_list = getattr(given, "to_pylist", None) or getattr(given, "tolist", None)
    return list(given) if to_list is None else to_list()


def _refuse_types(field: str, values: list[KeyValue], wanted: type, dtype: DType) -> None:
    """Raise for the first value of a wrong type; numpy's own scalars are made plain where their type is wanted."""
    for place, value in enumerate(values):
        if isinstance(value, np.integer if wanted is int else np.str_):
            values[place] = wanted(value)
        elif isinstance(value, float) and wanted is int and value.is_integer() and abs(value) >= -_LEAST:
            # As which readers of JSON give whole numbers that they have no room for.
            raise RequestError(f"{field}[{place}]", f"{value:.0f} does not fit into 64 bits")
        elif type(value) is not wanted and value is not None:
            kind = type(value).__name__
            raise RequestError(f"{field}[{place}]", f"{value!r} is of type {kind}, the key is {dtype.name}")


def _refuse_large(name: str, values: Sequence[KeyValue], present: Sequence[int]) -> None:
    if present and not (min(present) >= _LEAST and max(present) <= _MOST):
        place = next(at for at, each in enumerate(values) if isinstance(each, int) and not _LEAST <= each <= _MOST)
        raise RequestError(f"keys.{name}[{place}]", f"{values[place]} does not fit into 64 bits")


def _refuse_surrogates(name: str, values: Sequence[KeyValue], present: Sequence[str]) -> None:
    try:
        "".join(present).encode()
    except UnicodeEncodeError:
        place = next(at for at, each in enumerate(values) if any("\ud800" <= char <= "\udfff" for char in str(each)))
        raise RequestError(f"keys.{name}[{place}]", f"{values[place]!r} is not valid Unicode") from None
