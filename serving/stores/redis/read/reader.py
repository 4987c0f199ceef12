"""Reading rows from Redis, blocking: for the Python client, jobs and tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving.stores.errors import StoreError
from serving.stores.redis.connection import connect, told_plainly
from serving.stores.redis.read.multi_get import MultiGet
from serving.stores.redis.read.pointers import Pointers
from serving.stores.rows import RowsRead, RowsWanted
from serving.stores.store import READ_TIMEOUT


class RedisReader:
    """``OnlineReader`` of ``serving.stores.store``: one atomic command reads rows and what vouches for them.

    Args:
        url: of a Redis or Valkey server.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = connect(url, READ_TIMEOUT)
        self._pointers = Pointers()

    def read(self, wanted: Sequence[RowsWanted], time: int) -> list[RowsRead | StoreError]:
        """Read rows; see ``OnlineReader.read``.

        It takes one round trip, one more when a generation was just published; of many thousand rows several, between
        which others are served.
        """
        reading = MultiGet(self._pointers, wanted, time)
        with told_plainly(self._url):
            while not reading.is_done:
                command = reading.command()
                reading.take([] if command is None else self._execute(command))
        return reading.outcomes()

    def _execute(self, command: bytes) -> list[bytes | None]:
        """Send a command that is made already; like redis-py, try again once if the connection turns out to be dead."""
        pool: Any = self._client.connection_pool
        connection = pool.get_connection()

        def ask() -> list[bytes | None]:
            connection.send_packed_command([command])
            return connection.read_response()

        def disconnect(_: Exception) -> None:
            connection.disconnect()

        try:
            return connection.retry.call_with_retry(ask, disconnect)
        finally:
            pool.release(connection)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
