"""The rows of a view's stream in Redis, as its writer reads and writes them: in fenced transactions.

The last process to take over the stream is its writer: the fence holds its token, and a transaction of any other writer
changes nothing. So a writer that slept, or that somebody replaced, writes nothing any more.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

import redis

from feature_store.codec.byte_strings import Ragged, from_list
from feature_store.codec.tile_codec import TileLayout
from serving.stores.errors import DamagedListError, StreamTakenOverError
from serving.stores.generations import decode_generations
from serving.stores.records import Sealed
from serving.stores.redis.connection import check_eviction, connect, store_time, told_plainly
from serving.stores.redis.keys import (
    GENERATION_COUNTER,
    event_keys,
    pointer_keys,
    row_keys,
    row_prefix,
    stream_entities_key,
    stream_fence_key,
    stream_keys,
    stream_until_key,
    stream_written_key,
)
from serving.stores.redis.resp import pack
from serving.stores.redis.write.fenced import FencedTransactions
from serving.stores.store import WRITE_TIMEOUT
from serving.stores.streams import Stream, decode_stream, encode_stream

ENTITIES_PER_TRANSACTION: Final = 512
"""Few enough that other clients wait no more than some milliseconds."""

_KEYS_PER_READ: Final = 4096
_ENTITIES_PER_STEP: Final = 1024


class RedisStreamRows:
    """``StreamRows`` of ``serving.stores.store``, taken over for writing.

    Args:
        url: of a Redis or Valkey server.
        view: full name of the view.
        layout: of its tiles.
        since: every event from this instant on will be written, microseconds UTC. A stream of that layout which is
            complete up to there is continued.
        whole_from: where a new stream begins otherwise, not before ``since``, microseconds UTC.

    Attributes:
        stream: the stream.
        until: every event of it before this instant was written, microseconds UTC.
    """

    def __init__(self, url: str, view: str, layout: TileLayout, since: int, whole_from: int) -> None:
        self._url = url
        self._client: Any = connect(url, WRITE_TIMEOUT)
        self._view = view
        with told_plainly(url):
            check_eviction(url, self._client)
            self._take_over(layout, since, whole_from)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def now(self) -> int:
        """Return the present by the store's clock, microseconds UTC."""
        with told_plainly(self._url):
            return store_time(self._client)

    def _take_over(self, layout: TileLayout, since: int, whole_from: int) -> None:
        client, view = self._client, self._view
        # From the counter of generations, since no other writer may ever have the same one.
        self._token = _next_id(client)
        self._client.set(stream_fence_key(view), self._token)
        former = _former(client, view)
        until = None if former is None or former.layout != layout else self._complete_until(former)
        if former is not None and until is not None and since <= until:
            self.stream, self.until = former, until
        else:
            self.stream, self.until = Stream(_next_id(client), whole_from, store_time(client), layout), whole_from
            self._replace(former)

    def read(self, entities: Ragged) -> list[bytes | None]:
        """Return the row, or None, of encoded entities."""
        return self._mget(row_keys(self.stream.id, entities).to_list())

    def read_events(self, entities: Ragged) -> list[bytes | None]:
        """Return the ids of the events of encoded entities, packed; None: there are none."""
        return self._mget(event_keys(self.stream.id, entities).to_list())

    def write(
        self,
        entities: Ragged,
        rows: Sequence[bytes],
        events: Sequence[bytes] | None,
        new: Collection[bytes] = (),
        *,
        append: int | None = None,
        first: int = 0,
    ) -> None:
        """Write rows, of each ``ENTITIES_PER_TRANSACTION`` entities in turn all or none; see ``StreamRows.write``."""
        with self._transactions() as transactions:
            for start in range(first, len(entities), ENTITIES_PER_TRANSACTION):
                stop = min(start + ENTITIES_PER_TRANSACTION, len(entities))
                piece = entities.take(start, stop)
                pairs = list(zip(row_keys(self.stream.id, piece).to_list(), rows[start:stop], strict=True))
                if events is not None:
                    pairs += zip(event_keys(self.stream.id, piece).to_list(), events[start:stop], strict=True)
                if append is not None:
                    pairs.append((self._written_key, b"%d:%d:%d" % (self._token, append, stop)))
                added = [name for name in piece.to_list() if name in new]
                listed = (b"SADD", stream_entities_key(self._view, self.stream.id), *added)
                _send(transactions, pairs, [listed] if added else [])
            transactions.settle()

    def settle(self, append: int) -> int:
        """Break off what an append sent and may still be under way; see ``StreamRows.settle``.

        A reply that did not come says nothing: the transaction may have been done, or be done yet. Setting the fence
        to our token once more breaks it off, as it watches the fence.
        """
        with self._transactions() as transactions:
            commands = ((b"SET", stream_fence_key(self._view), b"%d" % self._token), (b"GET", self._written_key))
            transactions.send(len(commands), [pack(command) for command in commands])
            _, written = transactions.settle()
        token, number, count = map(int, written.split(b":")) if written else (0, 0, 0)
        return count if (token, number) == (self._token, append) else 0

    def complete(self, until: int) -> None:
        """Note down that every event before an instant, microseconds UTC, was written."""
        if until <= self.until:
            return
        with self._transactions() as transactions:
            _send(transactions, [(stream_until_key(self._view, self.stream.id), b"%d" % until)])
            transactions.settle()
        self.until = until

    def oldest_live(self) -> int | None:
        """Return the earliest as-of of a live generation, microseconds; None: no batch tiles are loaded."""
        with told_plainly(self._url):
            pointer = Sealed(*self._client.mget(pointer_keys(self._view)))
        return min((generation.as_of for generation in decode_generations(self._view, pointer)), default=None)

    def entities(self) -> Iterator[list[bytes]]:
        """Yield the encoded entities that have, or had, a row, in pieces; an entity may come twice."""
        with told_plainly(self._url):
            yield from _members(self._client, self._view, self.stream.id)

    def forget(self, entities: Sequence[bytes]) -> None:
        """Take entities whose rows are gone off the list."""
        if not entities:
            return
        with told_plainly(self._url):
            self._client.srem(stream_entities_key(self._view, self.stream.id), *entities)

    def _complete_until(self, stream: Stream) -> int | None:
        """Return the instant before which a stream holds every event; None: its rows are gone."""
        voucher, until = self._client.mget(row_prefix(stream.id), stream_until_key(self._view, stream.id))
        return int(until) if voucher == stream.voucher and until is not None else None

    def _replace(self, former: Stream | None) -> None:
        """Put the stream in the place of a former one, whose rows go."""
        gone = [] if former is None else [(row_prefix(former.id), b"")]
        until = (stream_until_key(self._view, self.stream.id), b"%d" % self.until)
        record = zip(stream_keys(self._view), encode_stream(self._view, self.stream), strict=True)
        with self._transactions() as transactions:
            _send(transactions, [*gone, (row_prefix(self.stream.id), self.stream.voucher), until, *record])
            transactions.settle()
        if former is not None:
            _drop_rows(self._client, self._view, former.id)

    @property
    def _written_key(self) -> bytes:
        return stream_written_key(self._view, self.stream.id)

    def _mget(self, keys: Sequence[bytes]) -> list[bytes | None]:
        found: list[bytes | None] = []
        with told_plainly(self._url):
            for start in range(0, len(keys), _KEYS_PER_READ):
                found += self._client.mget(keys[start : start + _KEYS_PER_READ])
        return found

    @contextmanager
    def _transactions(self) -> Generator[FencedTransactions]:
        fence = stream_fence_key(self._view)
        fenced = FencedTransactions(self._client, fence, fence, self._token, self._taken_over)
        with told_plainly(self._url), fenced as transactions:
            yield transactions

    def _taken_over(self) -> StreamTakenOverError:
        return StreamTakenOverError(
            f"{self._view}: another stream writer took this view over, so this one was stopped: run one writer per view"
        )


def drop_stream(client: redis.Redis, view: str) -> None:
    """Remove everything of a view's stream from the store; a writer at work is stopped."""
    client.delete(stream_fence_key(view))
    stream = _former(client, view)
    # At once, so that no reader takes rows that are about to go for entities without events.
    client.delete(*stream_keys(view), *([] if stream is None else [row_prefix(stream.id)]))
    if stream is not None:
        _drop_rows(client, view, stream.id)


def _former(client: Any, view: str) -> Stream | None:
    """Return the stream that is listed; one that nobody can find serves nobody, and the next one takes its place."""
    try:
        return decode_stream(view, Sealed(*client.mget(stream_keys(view))))
    except DamagedListError:
        return None


def _send(
    transactions: FencedTransactions, pairs: Sequence[tuple[bytes, bytes]], more: Sequence[tuple[bytes, ...]] = ()
) -> None:
    """Send a transaction that sets (or, to an empty value, deletes) keys, and does more."""
    kept = [word for key, value in pairs if value for word in (key, value)]
    gone = [key for key, value in pairs if not value]
    commands = [pack((b"MSET", *kept))] if kept else []
    commands += [pack((b"UNLINK", *gone))] if gone else []
    commands += [pack(command) for command in more]
    transactions.send(len(commands), commands)


def _next_id(client: redis.Redis) -> int:
    fresh: Any = client.incr(GENERATION_COUNTER)
    return int(fresh)


def _drop_rows(client: redis.Redis, view: str, stream: int) -> None:
    for members in _members(client, view, stream):
        listed = from_list(members)
        client.unlink(*row_keys(stream, listed).to_list(), *event_keys(stream, listed).to_list())
    client.unlink(*(key(view, stream) for key in (stream_entities_key, stream_until_key, stream_written_key)))


def _members(client: redis.Redis, view: str, stream: int) -> Iterator[list[bytes]]:
    untyped: Any = client
    scan: Iterator[bytes] = untyped.sscan_iter(stream_entities_key(view, stream), count=_ENTITIES_PER_STEP)
    while members := list(dict.fromkeys(islice(scan, _ENTITIES_PER_STEP))):
        yield members
