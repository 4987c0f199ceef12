"""A process's knowledge of the views in the store: the pointers and the records of streams that it has read."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from serving.stores.errors import StoreError
from serving.stores.generations import Generation, decode_generations, select
from serving.stores.records import Sealed
from serving.stores.streams import Stream, decode_stream

T = TypeVar("T")

POINTER_SECONDS: Final = 1.0
"""The greatest age of a cached pointer."""


@dataclass(frozen=True)
class _Known(Generic[T]):
    """A record that was read.

    Attributes:
        record: as it lies in the store.
        meaning: what they mean; None: there is none, or it cannot be understood.
        problem: why not.
        read_at: when, by the monotonic clock.
    """

    record: Sealed
    meaning: T | None
    problem: str | None
    read_at: float


class Pointers:
    """Pointers and records of streams, kept for a second: they need not be read with every request."""

    def __init__(self) -> None:
        self._generations: dict[str, _Known[tuple[Generation, ...]]] = {}
        self._streams: dict[str, _Known[Stream]] = {}

    def select(self, view: str, time: int) -> Generation | None:
        """Return the generation of a view served at T, as far as is known."""
        known = self._generations.get(view)
        return select(known.meaning, time) if known and known.meaning else None

    def stream(self, view: str) -> Stream | None:
        """Return the stream of a view, as far as is known."""
        known = self._streams.get(view)
        return known.meaning if known else None

    def problem(self, view: str) -> str | None:
        """Return why a record of a view cannot be understood; None: nothing is wrong."""
        found = (known.problem for known in (self._generations.get(view), self._streams.get(view)) if known)
        return next((problem for problem in found if problem is not None), None)

    def is_stale(self, view: str) -> bool:
        """Whether the pointer, and the record of the view's stream, have to be read again."""
        known = self._generations.get(view)
        return known is None or clock.monotonic() - known.read_at > POINTER_SECONDS

    def update(self, view: str, pointer: Sealed) -> None:
        """Remember a pointer that was just read."""
        self._generations[view] = _learn(view, self._generations.get(view), pointer, decode_generations)

    def update_stream(self, view: str, record: Sealed) -> None:
        """Remember the record of a stream that was just read."""
        self._streams[view] = _learn(view, self._streams.get(view), record, decode_stream)

    def forget(self, view: str) -> None:
        """Have what is known of a view read again with the next read."""
        self._generations.pop(view, None)
        self._streams.pop(view, None)


def _learn(view: str, known: _Known[T] | None, record: Sealed, decode: Callable[[str, Sealed], T | None]) -> _Known[T]:
    if known is not None and known.record == record:
        return _Known(record, known.meaning, known.problem, clock.monotonic())
    try:
        return _Known(record, decode(view, record), None, clock.monotonic())
    except StoreError as error:
        return _Known(record, None, str(error), clock.monotonic())
