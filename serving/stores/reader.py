"""Reading rows from the online store, blocking: for the Python client, jobs and tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving.stores.connection import READ_TIMEOUT, connect, told_plainly
from serving.stores.multi_get import ATTEMPTS, MultiGet, Pointers, RowsRead, RowsWanted, rows_vanished


class OnlineReader:
    """Reads rows of the generations that are served at T.

    Args:
        url: of a Redis or Valkey server.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = connect(url, READ_TIMEOUT)
        self._pointers = Pointers()

    def read(self, wanted: Sequence[RowsWanted], time: int) -> list[RowsRead]:
        """Read the rows of any number of views in one round trip (one more when a generation was just published).

        Args:
            wanted: views and entities.
            time: T, microseconds UTC.

        Raises:
            StoreUnavailableError: the store does not answer.
            StoreError: it lists a generation that it does not hold.
        """
        with told_plainly(self._url):
            for _ in range(ATTEMPTS):
                attempt = MultiGet(self._pointers, wanted, time)
                read = attempt.finish([] if attempt.command is None else self._execute(attempt.command))
                if read is not None:
                    return read
        raise rows_vanished(wanted)

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
