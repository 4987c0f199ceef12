"""Reading rows from Redis without blocking an event loop: for the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from serving.stores.errors import StoreError
from serving.stores.redis.connection import policy_in, refuse_eviction
from serving.stores.redis.read.multi_get import MultiGet
from serving.stores.redis.read.pointers import Pointers
from serving.stores.redis.read.resp_client import RespClient
from serving.stores.redis.resp import pack
from serving.stores.rows import RowsRead, RowsWanted

_MEMORY: Final = pack((b"INFO", b"memory"))


class RedisAsyncReader:
    """``AsyncOnlineReader`` of ``serving.stores.store``.

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
        """Ask for a sign of life, and refuse a server that evicts rows; see ``AsyncOnlineReader.check``."""
        refuse_eviction(self._url, policy_in(await self._client.execute(_MEMORY)))

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()
