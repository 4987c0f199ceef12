"""The rows of a view's stream in the store, as its writer reads and writes them: in one step, and fenced.

Whoever takes the stream up last is its writer: the fence holds its token, and every write is a script that first looks
whether the token still stands there. So a writer that slept, or that somebody replaced, writes nothing any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final

import redis

from feature_store.ragged import Ragged, from_list
from feature_store.streams.packed import TileLayout
from serving.stores.errors import StreamTakenUpError
from serving.stores.generations import decode_generations
from serving.stores.keys import (
    GENERATION_COUNTER,
    event_keys,
    pointer_key,
    row_keys,
    row_prefix,
    stream_entities_key,
    stream_fence_key,
    stream_key,
)
from serving.stores.streams import Stream, decode_stream, encode_stream

_ENTITIES_PER_STEP: Final = 1024

_WRITE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local last = 2 + 2 * ARGV[2]
for place = 3, last, 2 do
    local value = ARGV[place + 1]
    if value == '' then redis.call('DEL', ARGV[place]) else redis.call('SET', ARGV[place], value) end
end
for place = last + 1, #ARGV do redis.call('SADD', KEYS[2], ARGV[place]) end
return 1
"""
"""Set (or, to an empty value, delete) keys, and add the entities that have a row since; all of it or nothing."""


class StreamRows:
    """The rows of one view's stream, taken up for writing.

    Args:
        client: to the store.
        view: full name of the view.
        layout: of its tiles.
        since: if no stream of that layout is there yet: it will be given every event from this instant on
            (microseconds UTC).
    """

    def __init__(self, client: redis.Redis, view: str, layout: TileLayout, since: int) -> None:
        self._client = client
        self._view = view
        # From the counter of generations, since no other writer may ever have the same one.
        self._token = _next_id(client)
        client.set(stream_fence_key(view), self._token)
        self.stream = self._take_up(layout, since)

    def read(self, entities: Ragged) -> list[bytes | None]:
        """Return the row, or None, of encoded entities."""
        return self._mget(row_keys(self.stream.id, entities))

    def read_events(self, entities: Ragged) -> list[bytes | None]:
        """Return the ids of the events of encoded entities, packed; None: there are none."""
        return self._mget(event_keys(self.stream.id, entities))

    def write(
        self, entities: Ragged, rows: Sequence[bytes], events: Sequence[bytes] | None, new: Sequence[bytes]
    ) -> None:
        """Write the rows of entities, all of them or none.

        Args:
            entities: encoded, each once.
            rows: one per entity; empty: it has none any more.
            events: the packed ids of their events; None: the source declares no ids.
            new: those of the entities that had no row before.

        Raises:
            StreamTakenUpError: another writer took the stream up.
        """
        pairs = list(zip(row_keys(self.stream.id, entities).to_list(), rows, strict=True))
        if events is not None:
            pairs += zip(event_keys(self.stream.id, entities).to_list(), events, strict=True)
        self._write(pairs, new)

    def oldest_live(self) -> int | None:
        """Return the earliest as-of of a live generation, microseconds; None: no batch tiles are loaded."""
        value: Any = self._client.get(pointer_key(self._view))
        return min((generation.as_of for generation in decode_generations(value)), default=None)

    def entities(self) -> Iterator[list[bytes]]:
        """Yield the encoded entities that have, or had, a row, in pieces; an entity may come twice."""
        yield from _members(self._client, self._view, self.stream.id)

    def forget(self, entities: Sequence[bytes]) -> None:
        """Take entities whose rows are gone off the list."""
        if entities:
            self._client.srem(stream_entities_key(self._view, self.stream.id), *entities)

    def _take_up(self, layout: TileLayout, since: int) -> Stream:
        value: Any = self._client.get(stream_key(self._view))
        former = decode_stream(value)
        if former is not None and former.layout == layout and self._vouched(former):
            return former
        stream = Stream(_next_id(self._client), since, time.time_ns() // 1000, layout)
        gone = [] if former is None else [(row_prefix(former.id), b"")]
        record = (stream_key(self._view), encode_stream(stream))
        self._write([*gone, (row_prefix(stream.id), stream.voucher), record], [])
        if former is not None:
            _drop_rows(self._client, self._view, former.id)
        return stream

    def _vouched(self, stream: Stream) -> bool:
        return self._client.get(row_prefix(stream.id)) == stream.voucher

    def _mget(self, keys: Ragged) -> list[bytes | None]:
        found: Any = self._client.mget(keys.to_list()) if len(keys) else []
        return found

    def _write(self, pairs: Sequence[tuple[bytes, bytes]], new: Sequence[bytes]) -> None:
        flat = chain.from_iterable(pairs)
        # A stream that is being taken up has no entities yet, nor an id.
        listed = stream_entities_key(self._view, self.stream.id) if new else b""
        keys = (stream_fence_key(self._view), listed)
        if not self._client.eval(_WRITE, len(keys), *keys, self._token, len(pairs), *flat, *new):
            raise StreamTakenUpError(
                f"{self._view}: another stream writer took this view up; this one was stopped and wrote nothing. "
                "Run one writer per view"
            )


def drop_stream(client: redis.Redis, view: str) -> None:
    """Remove everything of a view's stream from the store; a writer at work is stopped."""
    client.delete(stream_fence_key(view))
    value: Any = client.get(stream_key(view))
    stream = decode_stream(value)
    if stream is None:
        return
    # At once, so that no reader takes rows that are about to go for entities without events.
    client.delete(stream_key(view), row_prefix(stream.id))
    _drop_rows(client, view, stream.id)


def _next_id(client: redis.Redis) -> int:
    fresh: Any = client.incr(GENERATION_COUNTER)
    return int(fresh)


def _drop_rows(client: redis.Redis, view: str, stream: int) -> None:
    for members in _members(client, view, stream):
        listed = from_list(members)
        client.unlink(*row_keys(stream, listed).to_list(), *event_keys(stream, listed).to_list())
    client.unlink(stream_entities_key(view, stream))


def _members(client: redis.Redis, view: str, stream: int) -> Iterator[list[bytes]]:
    untyped: Any = client
    scan: Iterator[bytes] = untyped.sscan_iter(stream_entities_key(view, stream), count=_ENTITIES_PER_STEP)
    while members := list(dict.fromkeys(islice(scan, _ENTITIES_PER_STEP))):
        yield members
