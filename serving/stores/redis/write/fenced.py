"""Transactions that change nothing any more once somebody else has taken over.

Each transaction watches a fence, sees that our token still stands there, and then says what to do; so a writer that was
fenced off, even between its check and its write, writes nothing at all. One transaction is under way while the next one
is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import redis

from feature_store.columns import Array
from serving.stores.redis.resp import pack

_EXEC: Final = pack((b"EXEC",))
_MULTI: Final = pack((b"MULTI",))

Buffer = bytes | Array


class FencedTransactions:
    """Transactions over a connection of their own. Used as a context manager.

    Args:
        client: to the store.
        fence: the key that changes when another takes over.
        held: the key that holds our token (it may be the fence itself).
        token: ours.
        lost: makes the error of a writer that was fenced off.
    """

    def __init__(
        self, client: redis.Redis, fence: bytes, held: bytes, token: int, lost: Callable[[], Exception]
    ) -> None:
        self._pool: Any = client.connection_pool
        self._watch = pack((b"WATCH", fence)) + pack((b"GET", held))
        self._token = b"%d" % token
        self._lost = lost
        self._commands = 0

    def __enter__(self) -> FencedTransactions:
        self._connection: Any = self._pool.get_connection()
        self._connection.send_packed_command([self._watch])
        return self

    def __exit__(self, *_: object) -> None:
        # A failure leaves a transaction half told; the server forgets it, and the watch, with the connection.
        self._connection.disconnect()
        self._pool.release(self._connection)

    def send(self, commands: int, body: Sequence[Buffer]) -> list[Any]:
        """Send a transaction, once the one before it is done.

        Args:
            commands: how many commands it has.
            body: these, in RESP.

        Returns:
            The replies to the commands of the transaction before it.

        Raises:
            Exception: what ``lost`` makes: the token was taken away. The transaction before changed nothing.
        """
        replies = self.settle()
        self._connection.send_packed_command([_MULTI, *body, _EXEC + self._watch])
        self._commands = commands
        return replies

    def settle(self) -> list[Any]:
        """Wait until the transaction that was sent last is done, and return the replies to its commands."""
        replies: list[Any] | None = []
        if self._commands:
            for _ in range(1 + self._commands):  # OK to MULTI, QUEUED to each command
                self._connection.read_response()
            replies = self._connection.read_response()
            self._commands = 0
        self._connection.read_response()  # OK to WATCH
        if replies is None or self._connection.read_response() != self._token:
            raise self._lost()
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies
