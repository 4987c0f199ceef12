"""How rows are read, without saying how bytes travel: the sync and the async reader share all of this.

One MGET holds the rows of every view, for each view the key that vouches for its generation, and, about once a second,
the views' pointers. An MGET is atomic: a vouching key that is there says that no row was dropped yet, so a missing row
is an entity without events. If it is gone, or a fresh pointer picks another generation, the read is done again.
"""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from feature_store.ragged import Ragged
from serving.stores.errors import StoreError
from serving.stores.generations import Generation, decode_generations, select
from serving.stores.keys import pointer_key, row_key_words, row_prefix
from serving.stores.resp import pack

POINTER_SECONDS: Final = 1.0
"""How old a cached pointer may be."""

ATTEMPTS: Final = 4
"""Reads before giving up; each but the last two needs a generation to be published meanwhile."""


@dataclass(frozen=True)
class RowsWanted:
    """The entities of one view that are asked for, as encoded keys."""

    view: str
    entities: Ragged


@dataclass(frozen=True)
class RowsRead:
    """The generation that was read (None: none is usable at T), and a row, or None, per entity asked for."""

    generation: Generation | None
    rows: Sequence[bytes | None]


@dataclass
class _Pointer:
    value: bytes | None
    generations: tuple[Generation, ...]
    read_at: float


class Pointers:
    """The pointers that a process has read, so that they need not be read with every request."""

    def __init__(self) -> None:
        self._pointers: dict[str, _Pointer] = {}

    def select(self, view: str, time: int) -> Generation | None:
        """Return the generation of a view served at T, as far as is known."""
        pointer = self._pointers.get(view)
        return select(pointer.generations, time) if pointer else None

    def is_stale(self, view: str) -> bool:
        """Whether the pointer has to be read again."""
        pointer = self._pointers.get(view)
        return pointer is None or clock.monotonic() - pointer.read_at > POINTER_SECONDS

    def update(self, view: str, value: bytes | None) -> None:
        """Remember a pointer that was just read."""
        known = self._pointers.get(view)
        same = known is not None and known.value == value
        generations = known.generations if known is not None and same else decode_generations(value)
        self._pointers[view] = _Pointer(value, generations, clock.monotonic())

    def forget(self, view: str) -> None:
        """Have the pointer read again with the next read."""
        self._pointers.pop(view, None)


class ReadAttempt:
    """One MGET, and what its reply means.

    Args:
        pointers: updated by ``finish``.
        wanted: the rows asked for; a view may appear more than once.
        time: T, microseconds UTC.

    Attributes:
        command: the MGET in RESP; None: there is nothing to read.
    """

    def __init__(self, pointers: Pointers, wanted: Sequence[RowsWanted], time: int) -> None:
        self._pointers = pointers
        self._wanted = wanted
        self._time = time
        views = sorted({each.view for each in wanted})
        self._stale = [view for view in views if pointers.is_stale(view)]
        chosen = {view: pointers.select(view, time) for view in views}
        self._chosen = chosen
        self._vouched = {view: generation for view, generation in chosen.items() if generation is not None}
        self.command = self._mget()

    def _mget(self) -> bytes | None:
        control = (
            *(pointer_key(view) for view in self._stale),
            *(row_prefix(generation.id) for generation in self._vouched.values()),
        )
        count, words = len(control), [pack(control).partition(b"\r\n")[2]] if control else []
        for each in self._wanted:
            generation = self._chosen[each.view]
            if generation is not None:
                count += len(each.entities)
                words.append(row_key_words(generation.id, each.entities))
        return b"*%d\r\n$4\r\nMGET\r\n%b" % (count + 1, b"".join(words)) if count else None

    def finish(self, values: Sequence[bytes | None]) -> list[RowsRead] | None:
        """Return what was read, in the order of what was wanted; None: read again.

        Args:
            values: the reply, one value per key of the command.
        """
        place = len(self._stale)
        for view, value in zip(self._stale, values, strict=False):
            self._pointers.update(view, value)
        again = False
        for view, generation in self._vouched.items():
            if values[place] != generation.voucher:
                self._pointers.forget(view)
                again = True
            place += 1
        if again or any(self._pointers.select(view, self._time) != chosen for view, chosen in self._chosen.items()):
            return None
        read: list[RowsRead] = []
        for each in self._wanted:
            generation = self._chosen[each.view]
            count = len(each.entities) if generation is not None else 0
            rows = values[place : place + count] if generation is not None else [None] * len(each.entities)
            read.append(RowsRead(generation, rows))
            place += count
        return read


def rows_vanished(wanted: Sequence[RowsWanted]) -> StoreError:
    """Return the error of a read that found a live generation without its rows, again and again."""
    views = ", ".join(sorted({each.view for each in wanted}))
    return StoreError(
        f"{views}: the online store lists a generation whose rows are gone (evicted or deleted by hand?); "
        f"drop the view from the online store and load its newest snapshot again"
    )
