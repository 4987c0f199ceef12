"""The bare server, against which ours is measured; ``granian --interface rsgi benchmarks.http.minimal:one`` and so on.

``one`` and ``many`` share one redis-py MGET among all requests in flight, decode and answer JSON; nothing is checked,
there is no status, no as-of, no plan. ``empty`` answers a constant: granian, the loop and the load generator alone.
"""

from __future__ import annotations

import asyncio
import os
import struct
from itertools import chain
from typing import Any

import numpy as np
import orjson
import redis.asyncio

from benchmarks.redis_bytes import row_dtype

_FEATURES = int(os.environ.get("BENCHMARK_FEATURES", "10"))
_URL = os.environ.get("BENCHMARK_URL", "redis://127.0.0.1:6379/0")
_BODY = b"x" * int(os.environ.get("BENCHMARK_BODY", "1"))
_NAMES = [f"f{place}" for place in range(_FEATURES)]
_ROW = struct.Struct(f"<q{_FEATURES}f")
_JSON = [("content-type", "application/json")]


class Batcher:
    """Collects requests while an MGET is under way, then answers all of them with the next."""

    def __init__(self) -> None:
        self._client: Any = None
        self._waiting: list[tuple[list[bytes], asyncio.Future[list[bytes]]]] = []
        self._busy = False

    async def get(self, keys: list[bytes]) -> list[bytes]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[bytes]] = loop.create_future()
        self._waiting.append((keys, future))
        if not self._busy:
            self._busy = True
            self._task = loop.create_task(self._flush())
        return await future

    async def _flush(self) -> None:
        if self._client is None:
            self._client = redis.asyncio.Redis.from_url(_URL)
        while self._waiting:
            batch, self._waiting = self._waiting, []
            values = await self._client.mget(list(chain.from_iterable(keys for keys, _ in batch)))
            start = 0
            for keys, future in batch:
                future.set_result(values[start : start + len(keys)])
                start += len(keys)
        self._busy = False


_batcher = Batcher()


class One:
    """``{"id": 7}`` -> the features of one entity."""

    async def __rsgi__(self, _scope: Any, protocol: Any) -> None:
        entity = orjson.loads(await protocol())["id"]
        (row,) = await _batcher.get([b"u:" + entity.to_bytes(8, "big")])
        at, *values = _ROW.unpack(row)
        answer = {"id": entity, "at": at, "features": dict(zip(_NAMES, values, strict=True))}
        protocol.response_bytes(200, _JSON, orjson.dumps(answer))


class Many:
    """``{"ids": [7, 8]}`` -> a list per feature."""

    async def __rsgi__(self, _scope: Any, protocol: Any) -> None:
        ids = orjson.loads(await protocol())["ids"]
        rows = await _batcher.get([b"u:" + entity.to_bytes(8, "big") for entity in ids])
        values = np.frombuffer(b"".join(rows), row_dtype(_FEATURES))["values"]
        answer = {"ids": ids, "features": dict(zip(_NAMES, values.T.tolist(), strict=True))}
        protocol.response_bytes(200, _JSON, orjson.dumps(answer))


class Empty:
    """Reads the request and answers as many bytes as our server does."""

    async def __rsgi__(self, _scope: Any, protocol: Any) -> None:
        await protocol()
        protocol.response_bytes(200, _JSON, _BODY)


one, many, empty = One(), Many(), Empty()
