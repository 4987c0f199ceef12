"""How rows are read, without saying how bytes travel: the sync and the async reader share all of this.

One MGET holds the rows of every view (of a stream view, the batch row and the stream row of each entity), for each view
the keys that vouch for its generation and its stream, and, about once a second, the views' pointers and the records of
their streams. An MGET is atomic: a vouching key that is there says that no row was dropped yet, so a missing row is an
entity without events. If it is gone, or a fresh pointer picks another generation, the read is done again.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Generic, TypeVar

from feature_store.ragged import Ragged
from serving.stores.errors import StoreError
from serving.stores.generations import Generation, decode_generations, select
from serving.stores.keys import pointer_key, row_key_words, row_prefix, stream_key
from serving.stores.resp import pack
from serving.stores.streams import Stream, decode_stream

T = TypeVar("T")

POINTER_SECONDS: Final = 1.0
"""How old a cached pointer may be."""

ATTEMPTS: Final = 4
"""Reads before giving up; each but the last two needs a generation to be published meanwhile."""


@dataclass(frozen=True)
class RowsWanted:
    """The entities of one view that are asked for, as encoded keys; of a stream view both rows of each."""

    view: str
    entities: Ragged
    is_stream: bool = False


@dataclass(frozen=True)
class RowsRead:
    """What was read of one view.

    Attributes:
        generation: the one that was read; None: none is usable at T, or a stream view has no stream yet.
        rows: a row, or None, per entity asked for.
        stream: of a stream view, its stream; None: no writer was ever at work.
        stream_rows: its row, or None, per entity asked for.
    """

    generation: Generation | None
    rows: Sequence[bytes | None]
    stream: Stream | None = None
    stream_rows: Sequence[bytes | None] = ()


@dataclass(frozen=True)
class _Chosen:
    """Where the rows of a view are: a stream view without both a generation and a stream has none."""

    generation: Generation | None
    stream: Stream | None

    @cached_property
    def owners(self) -> tuple[Generation | Stream, ...]:
        """Whose rows are read."""
        return tuple(owner for owner in (self.generation, self.stream) if owner is not None)


@dataclass
class _Known(Generic[T]):
    value: bytes | None
    meaning: T
    read_at: float


class Pointers:
    """The pointers, and the records of streams, that a process has read: they need not be read with every request."""

    def __init__(self) -> None:
        self._generations: dict[str, _Known[tuple[Generation, ...]]] = {}
        self._streams: dict[str, _Known[Stream | None]] = {}

    def select(self, view: str, time: int) -> Generation | None:
        """Return the generation of a view served at T, as far as is known."""
        known = self._generations.get(view)
        return select(known.meaning, time) if known else None

    def stream(self, view: str) -> Stream | None:
        """Return the stream of a view, as far as is known."""
        known = self._streams.get(view)
        return known.meaning if known else None

    def is_stale(self, view: str) -> bool:
        """Whether the pointer, and the record of the view's stream, have to be read again."""
        known = self._generations.get(view)
        return known is None or clock.monotonic() - known.read_at > POINTER_SECONDS

    def update(self, view: str, value: bytes | None) -> None:
        """Remember a pointer that was just read."""
        self._generations[view] = _learn(self._generations.get(view), value, decode_generations)

    def update_stream(self, view: str, value: bytes | None) -> None:
        """Remember the record of a stream that was just read."""
        self._streams[view] = _learn(self._streams.get(view), value, decode_stream)

    def forget(self, view: str) -> None:
        """Have what is known of a view read again with the next read."""
        self._generations.pop(view, None)
        self._streams.pop(view, None)


def _learn(known: _Known[T] | None, value: bytes | None, decode: Callable[[bytes | None], T]) -> _Known[T]:
    same = known is not None and known.value == value
    return _Known(value, known.meaning if known is not None and same else decode(value), clock.monotonic())


class MultiGet:
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
        self._streams = {each.view for each in wanted if each.is_stream}
        views = sorted({each.view for each in wanted})
        self._stale = [view for view in views if pointers.is_stale(view)]
        self._stale_streams = [view for view in self._stale if view in self._streams]
        self._chosen = {view: self._choose(view) for view in views}
        self.command = self._mget()

    def _choose(self, view: str) -> _Chosen:
        generation = self._pointers.select(view, self._time)
        if view not in self._streams:
            return _Chosen(generation, None)
        stream = self._pointers.stream(view)
        return _Chosen(generation, stream) if generation is not None and stream is not None else _Chosen(None, None)

    def _mget(self) -> bytes | None:
        control = (
            *(pointer_key(view) for view in self._stale),
            *(stream_key(view) for view in self._stale_streams),
            *(row_prefix(owner.id) for chosen in self._chosen.values() for owner in chosen.owners),
        )
        count, words = len(control), [pack(control).partition(b"\r\n")[2]] if control else []
        for each in self._wanted:
            for owner in self._chosen[each.view].owners:
                count += len(each.entities)
                words.append(row_key_words(owner.id, each.entities))
        return b"*%d\r\n$4\r\nMGET\r\n%b" % (count + 1, b"".join(words)) if count else None

    def finish(self, values: Sequence[bytes | None]) -> list[RowsRead] | None:
        """Return what was read, in the order of what was wanted; None: read again.

        Args:
            values: the reply, one value per key of the command.
        """
        replies = iter(values)
        for view in self._stale:
            self._pointers.update(view, next(replies))
        for view in self._stale_streams:
            self._pointers.update_stream(view, next(replies))
        again = False
        for view, chosen in self._chosen.items():
            for owner in chosen.owners:
                if next(replies) != owner.voucher:
                    self._pointers.forget(view)
                    again = True
        if again or any(self._choose(view) != chosen for view, chosen in self._chosen.items()):
            return None
        place = len(values) - sum(len(each.entities) * len(self._chosen[each.view].owners) for each in self._wanted)
        read: list[RowsRead] = []
        for each in self._wanted:
            chosen, count = self._chosen[each.view], len(each.entities)
            parts: list[Sequence[bytes | None]] = []
            for _ in chosen.owners:
                parts.append(values[place : place + count])
                place += count
            rows, stream_rows = [*parts, [None] * count, [None] * count][:2]
            read.append(RowsRead(chosen.generation, rows, chosen.stream, stream_rows if each.is_stream else ()))
        return read


def rows_vanished(wanted: Sequence[RowsWanted]) -> StoreError:
    """Return the error of a read that found a live generation without its rows, again and again."""
    views = ", ".join(sorted({each.view for each in wanted}))
    return StoreError(
        f"{views}: the online store lists a generation whose rows are gone (evicted or deleted by hand?); "
        f"drop the view from the online store and load its newest snapshot again"
    )
