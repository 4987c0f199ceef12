"""Reading rows from the online store, blocking: for the Python client, jobs and tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving.stores.errors import StoreError
from serving.stores.redis.connection import READ_TIMEOUT, connect, told_plainly
from serving.stores.redis.read.multi_get import MultiGet, RowsRead, RowsWanted
from serving.stores.redis.read.pointers import Pointers


class OnlineReader:
    """Reads rows of the generations that are served at T.

    Args:
        url: of a Redis or Valkey server.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = connect(url, READ_TIMEOUT)
        self._pointers = Pointers()

    def read(self, wanted: Sequence[RowsWanted], time: int) -> list[RowsRead | StoreError]:
        """Read the rows of any number of views in one round trip (one more when a generation was just published).

        Of many thousand rows it takes several: others are served between.

        Args:
            wanted: views and entities.
            time: T, microseconds UTC.

        Returns:
            In the order of what was wanted, what was read, or why that view cannot be read.

        Raises:
            StoreUnavailableError: the store does not answer.
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
