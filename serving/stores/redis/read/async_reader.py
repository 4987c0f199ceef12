"""Reading rows from the online store without blocking an event loop: for the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from serving.stores.errors import StoreError
from serving.stores.redis.eviction import policy_in, refuse_eviction
from serving.stores.redis.read.multi_get import MultiGet, RowsRead, RowsWanted
from serving.stores.redis.read.pointers import Pointers
from serving.stores.redis.read.resp_client import RespClient
from serving.stores.redis.resp import pack

_MEMORY: Final = pack((b"INFO", b"memory"))


class AsyncOnlineReader:
    """``OnlineReader`` for an event loop; one loop per instance.

    Args:
        url: of a Redis or Valkey server.

    Raises:
        InputError: the URL holds an option that the server's client does not know.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = RespClient(url)
        self._pointers = Pointers()

    async def read(self, wanted: Sequence[RowsWanted], time: int) -> list[RowsRead | StoreError]:
        """Read rows; see ``OnlineReader.read``."""
        reading = MultiGet(self._pointers, wanted, time)
        while not reading.is_done:
            command = reading.command()
            reading.take([] if command is None else await self._client.execute(command))
        return reading.outcomes()

    async def check(self) -> None:
        """Ask the store for a sign of life, and whether its answers can be relied on.

        Raises:
            StoreUnavailableError: it does not answer.
            StoreError: it evicts rows.
        """
        refuse_eviction(self._url, policy_in(await self._client.execute(_MEMORY)))

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()
