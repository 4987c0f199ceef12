"""All that lies in Redis of a view, listed or not: for verification. It looks at every key where that is asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from feature_store.codec.byte_strings import Ragged, from_list
from serving.stores.generations import Generation, decode_generations
from serving.stores.records import Sealed
from serving.stores.redis.connection import connect, told_plainly
from serving.stores.redis.keys import (
    chunks_key,
    pointer_keys,
    row_keys,
    row_owner,
    row_prefix,
    stream_entities_key,
    stream_keys,
    unpack_chunk,
)
from serving.stores.redis.read.multi_get import KEYS_PER_COMMAND
from serving.stores.store import WRITE_TIMEOUT
from serving.stores.streams import Stream, decode_stream

_KEYS_PER_SCAN: Final = 1000
_CHUNKS_AT_ONCE: Final = 16


class RedisInspector:
    """``OnlineInspector`` of ``serving.stores.store``.

    Args:
        url: of a Redis or Valkey server.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Any = connect(url, WRITE_TIMEOUT)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def generations(self, view: str) -> tuple[Generation, ...]:
        """Return the generations of a view that are listed; see ``OnlineInspector.generations``."""
        with told_plainly(self._url):
            return decode_generations(view, Sealed(*self._client.mget(pointer_keys(view))))

    def stream(self, view: str) -> Stream | None:
        """Return the stream of a view; None: no writer was ever at work."""
        with told_plainly(self._url):
            return decode_stream(view, Sealed(*self._client.mget(stream_keys(view))))

    def rows(self, owner: Generation | Stream, entities: Ragged) -> list[bytes | None] | None:
        """Return the row, or None, of encoded entities; see ``OnlineInspector.rows``.

        What vouches for the rows is read with them, so that rows which are dropped meanwhile are not missed.
        """
        keys, found = row_keys(owner.id, entities).to_list(), list[bytes | None]()
        with told_plainly(self._url):
            for start in range(0, max(len(keys), 1), KEYS_PER_COMMAND):
                voucher, *rows = self._client.mget(row_prefix(owner.id), *keys[start : start + KEYS_PER_COMMAND])
                if voucher != owner.voucher:
                    return None
                found += rows
        return found

    def entities(self, view: str, owner: Generation | Stream) -> Iterator[Ragged]:
        """Yield the entities that were written; see ``OnlineInspector.entities``."""
        with told_plainly(self._url):
            yield from self._of_stream(view, owner) if isinstance(owner, Stream) else self._of_chunks(view, owner)

    def row_counts(self, progress: Callable[[int, int], None] | None = None) -> Mapping[int, int]:
        """Count the rows that there are by their owner; see ``OnlineInspector.row_counts``."""
        counts: Counter[int] = Counter()
        with told_plainly(self._url):
            total, seen = self._client.dbsize(), 0
            for keys in self._scan(row_prefix(0)[:1] + b"*"):
                counts.update(owner for owner in map(row_owner, keys) if owner is not None)
                seen += len(keys)
                if progress is not None:
                    progress(seen, total)
        return counts

    def entities_with_rows(self, owner: Generation | Stream) -> Iterator[list[bytes]]:
        """Yield the entities that have a row; see ``OnlineInspector.entities_with_rows``."""
        prefix = row_prefix(owner.id)
        literal = re.sub(rb"([*?\[\]\\^])", rb"\\\1", prefix)
        with told_plainly(self._url):
            for keys in self._scan(literal + b"?*"):
                yield [key[len(prefix) :] for key in keys]

    def _of_chunks(self, view: str, generation: Generation) -> Iterator[Ragged]:
        index = chunks_key(view, generation.id)
        count: int = self._client.hlen(index)
        for start in range(0, count, _CHUNKS_AT_ONCE):
            numbers = [str(chunk) for chunk in range(start, min(start + _CHUNKS_AT_ONCE, count))]
            yield from (unpack_chunk(value) for value in self._client.hmget(index, numbers) if value is not None)

    def _of_stream(self, view: str, stream: Stream) -> Iterator[Ragged]:
        scan: Iterator[bytes] = self._client.sscan_iter(stream_entities_key(view, stream.id), count=_KEYS_PER_SCAN)
        while members := list(islice(scan, _KEYS_PER_SCAN)):
            yield from_list(members)

    def _scan(self, pattern: bytes) -> Iterator[list[bytes]]:
        """Yield the keys of a pattern, some perhaps twice, in pieces."""
        cursor = 0
        while True:
            cursor, keys = self._client.scan(cursor, match=pattern, count=_KEYS_PER_SCAN)
            yield keys
            if not cursor:
                return
