"""Writing rows as fast as the server takes them: RESP built for thousands of rows at once, in fenced transactions.

Each transaction watches the view's fence, sees that the lease is still ours, and writes the index of a chunk together
with its rows; so a loader that was fenced off, even between its check and its write, writes nothing at all.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import redis

from feature_store.columns import Array
from feature_store.ragged import Ragged, from_lengths, gather, join_columns
from serving.stores.keys import chunks_key, fence_key, lease_key, pack_chunk, row_keys
from serving.stores.lease import lease_lost
from serving.stores.resp import pack

ROWS_PER_TRANSACTION: Final = 1024
"""Few enough that other clients wait less than about a millisecond, enough to amortise the round trip."""

_REPLIES_TO_WRITE: Final = 3  # OK to MULTI, then QUEUED twice
_EXEC: Final = b"*1\r\n$4\r\nEXEC\r\n"
_MULTI: Final = b"*1\r\n$5\r\nMULTI\r\n"


class FencedWriter:
    """Writes the rows of one generation over a connection of its own. Used as a context manager."""

    def __init__(self, client: redis.Redis, view: str, generation: int) -> None:
        self._pool: Any = client.connection_pool
        self._view = view
        self._generation = generation
        self._chunks = 0
        self._unread = 0
        self._watch = pack((b"WATCH", fence_key(view))) + pack((b"GET", lease_key(view)))

    def __enter__(self) -> FencedWriter:
        self._connection: Any = self._pool.get_connection()
        self._connection.send_packed_command([self._watch])
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        # A failure leaves a transaction half told; the server forgets it, and the watch, with the connection.
        self._connection.disconnect()
        self._pool.release(self._connection)

    def write(self, entities: Ragged, rows: Ragged) -> None:
        """Write rows under their encoded entity keys.

        Raises:
            LeaseLostError: the lease is no longer ours.
        """
        keys = row_keys(self._generation, entities)
        pairs = join_columns(len(keys), [*_bulk_strings(keys), *_bulk_strings(rows)])
        for start in range(0, len(keys), ROWS_PER_TRANSACTION):
            stop = min(start + ROWS_PER_TRANSACTION, len(keys))
            index = (
                chunks_key(self._view, self._generation),
                b"%d" % self._chunks,
                pack_chunk(entities.take(start, stop)),
            )
            head = _MULTI + pack((b"HSET", *index)) + b"*%d\r\n$4\r\nMSET\r\n" % (2 * (stop - start) + 1)
            self._settle()
            self._connection.send_packed_command([head, pairs.take(start, stop).buffer, _EXEC + self._watch])
            self._unread = _REPLIES_TO_WRITE + 1
            self._chunks += 1

    def finish(self) -> None:
        """Wait until the server has taken everything.

        Raises:
            LeaseLostError: the lease is no longer ours.
        """
        self._settle()

    def _settle(self) -> None:
        """Read the replies to the last transaction and to the watch that followed it."""
        for place in range(self._unread):
            reply = self._connection.read_response()
            if place == _REPLIES_TO_WRITE and reply is None:
                raise lease_lost(self._view, self._generation)
        self._unread = 0
        self._connection.read_response()
        if self._connection.read_response() != b"%d" % self._generation:
            raise lease_lost(self._view, self._generation)


def _bulk_strings(values: Ragged) -> list[Ragged | bytes]:
    """Return the parts of RESP bulk strings: a length line, the bytes, an end of line."""
    lines = _length_lines(values.lengths) if values.width is None else b"$%d\r\n" % values.width
    return [lines, values, b"\r\n"]


def _length_lines(lengths: Array) -> Ragged:
    different, which = np.unique(lengths, return_inverse=True)
    lines = [b"$%d\r\n" % length for length in different.tolist()]
    table = from_lengths(np.frombuffer(b"".join(lines), np.uint8), np.array([len(line) for line in lines], np.int64))
    return gather(table.buffer, table.offsets[which], table.lengths[which])
