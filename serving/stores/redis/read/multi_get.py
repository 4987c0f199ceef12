"""Reading rows, without saying how bytes travel: the sync and the async reader share all of this.

One MGET holds the rows of every view (of a stream view, the batch row and the stream row of each entity), for each view
the keys that vouch for its generation and its stream, and, about once a second, the views' pointers and the records of
their streams. An MGET is atomic: a vouching key that is there says that no row was dropped yet, so a missing row is an
entity without events. If it is gone, or a fresh pointer picks another generation, the view is read again, from its
first row. A long read is several MGETs, all of them of the same generation, between which the store serves others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Final, NamedTuple

from serving.stores.errors import StoreError
from serving.stores.generations import Generation
from serving.stores.records import Sealed
from serving.stores.redis.keys import pointer_keys, row_key_words, row_prefix, stream_keys
from serving.stores.redis.read.pointers import Pointers
from serving.stores.redis.resp import pack_words
from serving.stores.rows import RowsRead, RowsWanted
from serving.stores.streams import Stream

KEYS_PER_COMMAND: Final = 4096
"""Rows read at once: few enough that other clients of the store wait no more than some milliseconds."""

ATTEMPTS: Final = 4
"""Reads of a view before it is given up; each but the last two needs a generation to be published meanwhile."""


class _Piece(NamedTuple):
    """Entities ``start`` to ``stop`` (exclusive) of what is wanted at ``place``."""

    place: int
    start: int
    stop: int


@dataclass(frozen=True)
class _Chosen:
    """The places of a view's rows: a stream view without both a generation and a stream has none."""

    generation: Generation | None
    stream: Stream | None

    @cached_property
    def owners(self) -> tuple[Generation | Stream, ...]:
        """Whose rows are read."""
        return tuple(owner for owner in (self.generation, self.stream) if owner is not None)


class MultiGet:
    """A read: commands to send until it ``is_done``, and what their replies mean.

    Args:
        pointers: what is known of the views; updated by ``take``.
        wanted: the rows asked for; a view may appear more than once.
        time: T, microseconds UTC.
    """

    def __init__(self, pointers: Pointers, wanted: Sequence[RowsWanted], time: int) -> None:
        self._pointers = pointers
        self._wanted = wanted
        self._time = time
        self._streams = {each.view for each in wanted if each.is_stream}
        self._left = deque(piece for place in range(len(wanted)) for piece in self._pieces(place))
        self._asked: list[_Piece] = []
        self._chosen: dict[str, _Chosen] = {}
        self._read: list[list[RowsRead]] = [[] for _ in wanted]
        self._attempts = dict.fromkeys((each.view for each in wanted), ATTEMPTS)
        self._failed: dict[str, StoreError] = {}

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to read."""
        return not self._left

    def command(self) -> bytes | None:
        """Return the next MGET in RESP, whose reply ``take`` is given; None: no key is needed, take no values."""
        self._asked = self._next()
        views = self._views_asked()
        self._stale = [view for view in views if self._pointers.is_stale(view)]
        self._stale_streams = [view for view in self._stale if view in self._streams]
        for view in views:
            if view not in self._chosen:
                self._chosen[view] = self._choose(view)
        control = (
            *chain.from_iterable(pointer_keys(view) for view in self._stale),
            *chain.from_iterable(stream_keys(view) for view in self._stale_streams),
            *(row_prefix(owner.id) for view in views for owner in self._chosen[view].owners),
        )
        count, words = len(control), [pack_words(control)]
        for place, start, stop in self._asked:
            each = self._wanted[place]
            entities = each.entities if stop - start == len(each.entities) else each.entities.take(start, stop)
            for owner in self._chosen[each.view].owners:
                count += stop - start
                words.append(row_key_words(owner.id, entities))
        return b"*%d\r\n$4\r\nMGET\r\n%b" % (count + 1, b"".join(words)) if count else None

    def take(self, values: Sequence[bytes | None]) -> None:
        """Understand the reply to ``command``, one value per key of it."""
        views, replies = self._views_asked(), iter(values)
        for view in self._stale:
            self._pointers.update(view, Sealed(next(replies), next(replies)))
        for view in self._stale_streams:
            self._pointers.update_stream(view, Sealed(next(replies), next(replies)))
        gone = [view for view in views if not self._is_vouched(view, replies)]
        for piece, rows in zip(self._asked, self._rows(values), strict=True):
            self._read[piece.place].append(rows)
        for view in views:
            problem = self._pointers.problem(view)
            if problem is not None:
                self._give_up(view, StoreError(f"{view}: {problem}"))
            elif view in gone or self._choose(view) != self._chosen[view]:
                self._start_again(view, rows_are_gone=view in gone)

    def outcomes(self) -> list[RowsRead | StoreError]:
        """Return, in the order of what was wanted, what was read, or why a view cannot be read."""
        return [
            self._failed.get(each.view) or _joined(parts) for each, parts in zip(self._wanted, self._read, strict=True)
        ]

    def _pieces(self, place: int) -> Iterator[_Piece]:
        """Cut what is wanted at a place; even of no entity at all the generation is read."""
        count = len(self._wanted[place].entities)
        for start in range(0, max(count, 1), KEYS_PER_COMMAND):
            yield _Piece(place, start, min(start + KEYS_PER_COMMAND, count))

    def _next(self) -> list[_Piece]:
        """Take the pieces, at least one, that make up a command."""
        pieces: list[_Piece] = []
        keys = 0
        while self._left:
            keys += (self._left[0].stop - self._left[0].start) * (1 + self._wanted[self._left[0].place].is_stream)
            if pieces and keys > KEYS_PER_COMMAND:
                break
            pieces.append(self._left.popleft())
        return pieces

    def _views_asked(self) -> list[str]:
        return list(dict.fromkeys(self._wanted[piece.place].view for piece in self._asked))

    def _choose(self, view: str) -> _Chosen:
        generation = self._pointers.select(view, self._time)
        if view not in self._streams:
            return _Chosen(generation, None)
        stream = self._pointers.stream(view)
        return _Chosen(generation, stream) if generation is not None and stream is not None else _Chosen(None, None)

    def _is_vouched(self, view: str, replies: Iterator[bytes | None]) -> bool:
        """Whether all rows of a view's owners are there; takes the replies for all of them."""
        owners = self._chosen[view].owners
        return list(islice(replies, len(owners))) == [owner.voucher for owner in owners]

    def _rows(self, values: Sequence[bytes | None]) -> Iterator[RowsRead]:
        """Yield what was read of every piece; the rows are the last values of the reply."""
        lengths = [len(self._chosen[self._wanted[p.place].view].owners) * (p.stop - p.start) for p in self._asked]
        place = len(values) - sum(lengths)
        for piece in self._asked:
            each, count = self._wanted[piece.place], piece.stop - piece.start
            chosen = self._chosen[each.view]
            parts: list[Sequence[bytes | None]] = []
            for _ in chosen.owners:
                parts.append(values[place : place + count])
                place += count
            rows, stream_rows = [*parts, [None] * count, [None] * count][:2]
            yield RowsRead(chosen.generation, rows, chosen.stream, stream_rows if each.is_stream else ())

    def _start_again(self, view: str, *, rows_are_gone: bool) -> None:
        if rows_are_gone:
            self._pointers.forget(view)
        self._attempts[view] -= 1
        if not self._attempts[view]:
            self._give_up(view, _rows_gone(view))
            return
        self._put_aside(view)
        for place, each in enumerate(self._wanted):
            if each.view == view:
                self._left.extend(self._pieces(place))

    def _give_up(self, view: str, failure: StoreError) -> None:
        self._failed[view] = failure
        self._put_aside(view)

    def _put_aside(self, view: str) -> None:
        """Forget what was read of a view, and what is left to read."""
        self._chosen.pop(view, None)
        self._left = deque(piece for piece in self._left if self._wanted[piece.place].view != view)
        for place, each in enumerate(self._wanted):
            if each.view == view:
                self._read[place].clear()


def _joined(parts: Sequence[RowsRead]) -> RowsRead:
    """Return the pieces of one view as one."""
    if len(parts) == 1:
        return parts[0]
    rows = list(chain.from_iterable(part.rows for part in parts))
    stream_rows = list(chain.from_iterable(part.stream_rows for part in parts))
    return RowsRead(parts[0].generation, rows, parts[0].stream, stream_rows)


def _rows_gone(view: str) -> StoreError:
    """Return the error of a read that found a live generation without its rows, again and again."""
    return StoreError(
        f"{view}: the online store lists a generation whose rows are gone (evicted or deleted by hand?); "
        f"load the view's newest snapshot again"
    )
