"""Entities: what features describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from feature_store.checks.calls import declared_by_call
from feature_store.checks.declared import STORED_COLUMNS, check_description, check_name, check_type, shown
from feature_store.checks.frozen import FrozenMapping
from feature_store.dtypes import KEY_DTYPES, DType
from feature_store.errors import DefinitionError

_TAKEN: Final = (*STORED_COLUMNS, "tile_start", "span")


@declared_by_call
@dataclass(frozen=True)
class Entity:
    """The thing that a feature describes: a household, an item, a household in a department.

    Attributes:
        name: e.g. ``household``.
        keys: the join keys in order, by name, each Int64 or String.
        description: one line for the catalog.

    Raises:
        DefinitionError: a name, a key's type or the description is not usable.
    """

    name: str
    keys: Mapping[str, DType]
    description: str

    def __post_init__(self) -> None:
        where = f"entity {self.name}"
        check_name(where, self.name)
        check_type(where, "keys", self.keys, Mapping, 'give keys={"household_id": Int64}')
        if not self.keys:
            raise DefinitionError(where, "has no join keys", 'give keys={"household_id": Int64}')
        for key, dtype in self.keys.items():
            _check_key(where, key, dtype)
        check_description(where, self.description)
        # Nobody can change what was checked.
        object.__setattr__(self, "keys", FrozenMapping(self.keys))

    def canonical(self) -> object:
        """Return what determines which values belong together, as JSON."""
        return [[key, dtype.name] for key, dtype in self.keys.items()]


def _check_key(where: str, key: object, dtype: object) -> None:
    check_name(where, key)
    if key in _TAKEN:
        raise DefinitionError(where, f"key {key!r} is a column of every stored table", "give it another name")
    if not isinstance(dtype, DType):
        problem = f"key {key!r} has type {shown(dtype)}, which is not a feature_store type"
        raise DefinitionError(where, problem, "use Int64 or String of feature_store")
    if dtype not in KEY_DTYPES:
        raise DefinitionError(where, f"key {key!r} is of type {dtype}", "use Int64 or String, cast upstream")
