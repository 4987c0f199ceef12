"""The lease on a view's generations: one loader at a time, and none that slept can do harm."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import redis
from redis.exceptions import RedisError

from serving.stores.errors import LeaseHeldError, LeaseLostError
from serving.stores.redis.keys import GENERATION_COUNTER, fence_key, lease_key
from serving.stores.store import LEASE_SECONDS

_ACQUIRE: Final = """
if ARGV[2] ~= 'force' and redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('DEL', KEYS[1])
local id = redis.call('INCR', KEYS[3])
redis.call('SET', KEYS[1], id, 'PX', ARGV[1])
redis.call('SET', KEYS[2], id)
return id
"""
"""It deletes before it writes: so a server without free memory lets it, and whoever holds the lease can make room."""

_RENEW: Final = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
)
_RELEASE: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


@contextmanager
def hold_lease(
    client: redis.Redis, view: str, *, seconds: float = LEASE_SECONDS, force: bool = False
) -> Generator[int]:
    """Hold the lease of a view, renewed in the background, and yield a new generation id.

    Args:
        client: to the store.
        view: full name of the view.
        seconds: life of the lease without renewal. A lease that another process holds is waited for this long and a
            little more, so that a loader that died does not stop its successor.
        force: take the lease at once; whoever holds it is fenced off.

    Raises:
        LeaseHeldError: another loader is alive and at work.
    """
    generation = _acquire(client, view, seconds, force)
    done = threading.Event()
    keeper = threading.Thread(target=_renew, args=(client, view, generation, seconds, done), daemon=True)
    keeper.start()
    try:
        yield generation
    finally:
        done.set()
        keeper.join()
        client.eval(_RELEASE, 1, lease_key(view), generation)


def lease_lost(view: str, generation: int) -> LeaseLostError:
    """Return the error of a loader that finds itself fenced off."""
    return LeaseLostError(
        f"{view}: generation {generation} lost its lease (this process stopped for too long, or another took over); "
        f"nothing of it is served. Load the snapshot again if it is still the newest"
    )


def _acquire(client: redis.Redis, view: str, seconds: float, force: bool) -> int:
    keys = (lease_key(view), fence_key(view), GENERATION_COUNTER)
    deadline = time.monotonic() + seconds * 1.2
    while True:
        acquired: Any = client.eval(_ACQUIRE, len(keys), *keys, round(seconds * 1000), "force" if force else "")
        if acquired:
            return int(acquired)
        if time.monotonic() > deadline:
            raise LeaseHeldError(f"{view}: another loader is at work on this view; try again when it is done")
        time.sleep(min(0.1, seconds / 10))


def _renew(client: redis.Redis, view: str, generation: int, seconds: float, done: threading.Event) -> None:
    while not done.wait(seconds / 4):
        try:
            client.eval(_RENEW, 1, lease_key(view), generation, round(seconds * 1000))
        except RedisError:
            # The next turn tries again; should the lease run out, the fenced writes are what stops the loader.
            continue
