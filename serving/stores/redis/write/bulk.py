"""Rows of a generation by the thousand: RESP built for all of them at once, and a pipeline that never waits for one.

The index of a chunk is written together with its rows, so that every row that ever was written is found again.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import redis

from feature_store.codec.byte_strings import Ragged, join_columns
from feature_store.columns import Array
from feature_store.errors import InputError
from serving.stores.redis.keys import chunks_key, fence_key, lease_key, pack_chunk, row_keys, unpack_chunk
from serving.stores.redis.resp import bulk_strings, pack
from serving.stores.redis.write.fenced import FencedTransactions
from serving.stores.redis.write.lease import lease_lost

ROWS_PER_TRANSACTION: Final = 1024
"""Few enough that other clients wait less than about a millisecond, enough to amortise the round trip."""

_CHUNKS_UNDER_WAY: Final = 16
"""Chunks that are being dropped at once."""


class GenerationWriter:
    """Writes the rows of one generation. Used as a context manager."""

    def __init__(self, client: redis.Redis, view: str, generation: int) -> None:
        self._view = view
        self._generation = generation
        self._chunks = 0
        self._transactions = FencedTransactions(
            client, fence_key(view), lease_key(view), generation, lambda: lease_lost(view, generation)
        )

    def __enter__(self) -> GenerationWriter:
        self._transactions.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self._transactions.__exit__(*failure)

    def write(self, entities: Ragged, rows: Ragged) -> None:
        """Write rows under their encoded entity keys.

        Raises:
            InputError: an entity comes twice.
            LeaseLostError: the lease is no longer ours.
        """
        if len(set(entities.to_list())) != len(entities):
            raise self._repeated()
        keys = row_keys(self._generation, entities)
        pairs = join_columns(len(keys), [*bulk_strings(keys), *bulk_strings(rows)])
        for start in range(0, len(keys), ROWS_PER_TRANSACTION):
            stop = min(start + ROWS_PER_TRANSACTION, len(keys))
            index = (chunks_key(self._view, self._generation), b"%d" % self._chunks)
            head = pack((b"HSET", *index, pack_chunk(entities.take(start, stop))))
            # Rows that are there already, of an earlier chunk, keep MSETNX from writing any.
            rows_of_chunk = b"*%d\r\n$6\r\nMSETNX\r\n" % (2 * (stop - start) + 1), pairs.take(start, stop).buffer
            self._check(self._transactions.send(2, [head, *rows_of_chunk]))
            self._chunks += 1

    def finish(self) -> None:
        """Wait until the server has taken everything.

        Raises:
            InputError: an entity comes twice.
            LeaseLostError: the lease is no longer ours.
        """
        self._check(self._transactions.settle())

    def _check(self, replies: list[Any]) -> None:
        if replies and not replies[1]:
            raise self._repeated()

    def _repeated(self) -> InputError:
        return InputError(f"{self._view}: an entity comes twice in the snapshot; leave one row per entity in it")


def drop_rows(client: redis.Redis, view: str, generation: int) -> None:
    """Delete the rows of a generation that left the pointer. It can be repeated, and done by two at once."""
    index = chunks_key(view, generation)
    untyped: Any = client
    count: int = untyped.hlen(index)
    pool: Any = client.connection_pool
    connection = pool.get_connection()
    try:
        unread: deque[int] = deque()
        for start in range(0, count, _CHUNKS_UNDER_WAY):
            numbers = [str(chunk) for chunk in range(start, min(start + _CHUNKS_UNDER_WAY, count))]
            chunks = [unpack_chunk(value) for value in untyped.hmget(index, numbers) if value is not None]
            connection.send_packed_command([part for chunk in chunks for part in _unlink(row_keys(generation, chunk))])
            unread.append(len(chunks))
            while len(unread) > 1 or (unread and start + _CHUNKS_UNDER_WAY >= count):
                for _ in range(unread.popleft()):
                    connection.read_response()
    finally:
        connection.disconnect()
        pool.release(connection)
    untyped.unlink(index)


def _unlink(keys: Ragged) -> list[Array | bytes]:
    """Return the command, in RESP, that deletes keys."""
    return [b"*%d\r\n$6\r\nUNLINK\r\n" % (len(keys) + 1), join_columns(len(keys), bulk_strings(keys)).buffer]
