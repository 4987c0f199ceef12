"""The store's clock: the one that all loaders of a store share."""

from __future__ import annotations

from typing import Any

import redis


def store_time(client: redis.Redis) -> int:
    """Return the present by the store's clock, microseconds UTC."""
    untyped: Any = client
    seconds, microseconds = untyped.time()
    return seconds * 1_000_000 + microseconds
