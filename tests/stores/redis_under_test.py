"""Harm done to a Redis or Valkey server behind the back of the product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis

from serving.stores.redis.keys import lease_key, pointer_keys, rejected_key, row_prefix, stream_keys


@dataclass(frozen=True)
class RedisUnderTest:
    """A Redis or Valkey server; see ``StoreUnderTest``."""

    url: str
    unreachable: str = "redis://user:secret@127.0.0.1:1/0"

    def row_count(self) -> int:
        with redis.Redis.from_url(self.url) as client:
            # The keys that vouch for generations are shorter.
            return sum(1 for key in client.scan_iter(b"\x01*", count=10_000) if len(key) > 5)

    def lose_rows(self, generation: int) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.delete(row_prefix(generation))

    def replace_row(self, generation: int, entity: bytes, row: bytes | None) -> bytes | None:
        return self._replace(row_prefix(generation) + entity, row)

    def replace_pointer(self, view: str, pointer: bytes | None) -> bytes | None:
        return self._replace(pointer_keys(view)[0], pointer)

    def replace_stream(self, view: str, record: bytes | None) -> bytes | None:
        return self._replace(stream_keys(view)[0], record)

    def replace_rejected(self, view: str, snapshots: bytes | None) -> bytes | None:
        return self._replace(rejected_key(view), snapshots)

    def empty(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def end_lease(self, view: str) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.delete(lease_key(view))

    def _replace(self, key: bytes, value: bytes | None) -> bytes | None:
        with redis.Redis.from_url(self.url) as client:
            before: Any = client.get(key)
            if value is None:
                client.delete(key)
            else:
                client.set(key, value)
        return before
