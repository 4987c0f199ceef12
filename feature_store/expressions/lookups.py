"""Lookup tables: a value for each of the keys that are known when a feature is declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from feature_store.checks.calls import declared_by_call
from feature_store.checks.declared import check_name, check_type, shown
from feature_store.checks.frozen import FrozenMapping
from feature_store.constants import constant_problem
from feature_store.dtypes import Boolean, DType, Float64, Int64, String
from feature_store.errors import DefinitionError

Found = int | float | bool | str


@declared_by_call
@dataclass(frozen=True, eq=False)
class LookupTable:
    """A declared table of single values, by key.

    Attributes:
        name: how it is named in the catalog.
        values: one value per key, all numbers, all strings or all Booleans; numbers with a float among them are floats.
            Keys are all Int64 or all String.

    Raises:
        DefinitionError: the keys or the values are of several types, or no column can hold one of them.

    >>> LookupTable("rates", {"de": 1, "ch": 0.5}).sorted_values()
    {'ch': 0.5, 'de': 1.0}
    """

    name: str
    values: Mapping[int, Found] | Mapping[str, Found]

    def __post_init__(self) -> None:
        where = f"lookup table {self.name}"
        check_name(where, self.name)
        check_type(where, "values", self.values, Mapping, "give one value per key: {'DELI': 0.2}")
        if not self.values:
            raise DefinitionError(where, "has no values", "give at least one, by key")
        plain = cast("Mapping[int | str, Found]", self.values)
        _check_alike(where, "keys", plain, ({int}, {str}), "use only int or only str keys")
        alike = ({int}, {float}, {int, float}, {str}, {bool})
        _check_alike(where, "values", plain.values(), alike, "use only numbers, only strings or only Booleans")
        dtype = value_dtype(tuple(plain.values()))
        for key, value in plain.items():
            problem = constant_problem(value, dtype)
            if problem is not None:
                raise DefinitionError(where, f"the value {shown(value)} of {key!r} {problem[0]}", problem[1])
        # Nobody can change what was checked; adding zero turns -0.0 into 0.0.
        held = {key: float(value) + 0.0 if dtype == Float64 else value for key, value in plain.items()}
        object.__setattr__(self, "values", FrozenMapping(held))

    def sorted_values(self) -> dict[int | str, Found]:
        """Return the values in order of their keys, so that the order of declaration plays no part."""
        values = cast("Mapping[int | str, Found]", self.values)
        return {key: values[key] for key in sorted(values, key=lambda key: (str(key), key))}


def value_dtype(values: tuple[object, ...]) -> DType:
    """Return the type of what a table gives, by its values."""
    types = set(map(type, values))
    if types == {str}:
        return String
    if types == {bool}:
        return Boolean
    return Int64 if types == {int} else Float64


def _check_alike(where: str, what: str, given: Iterable[object], alike: tuple[set[type], ...], instead: str) -> None:
    types = set(map(type, given))
    if types not in alike:
        names = " and ".join(sorted(each.__name__ for each in types))
        raise DefinitionError(where, f"has {what} of type {names}", instead)
