"""A mapping that nobody can change: what was checked stays as it was. Unlike Python's own it can be pickled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

Key = TypeVar("Key")
Value_co = TypeVar("Value_co", covariant=True)


class FrozenMapping(Mapping[Key, Value_co]):
    """A copy of a mapping, in its order, equal to every mapping of the same items.

    >>> FrozenMapping({"a": 1}) == {"a": 1}
    True
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[Key, Value_co]) -> None:
        self._items = dict(items)

    def __reduce__(self) -> tuple[type[FrozenMapping[Key, Value_co]], tuple[dict[Key, Value_co]]]:
        return FrozenMapping, (self._items,)

    def __getitem__(self, key: Key) -> Value_co:
        return self._items[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)
