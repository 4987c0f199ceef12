"""Connections to Redis: its failures told in this project's words, its clock, and whether it keeps what it is given."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError
from redis.retry import Retry

from serving.stores.errors import StoreError, StoreFullError, StoreUnavailableError
from serving.stores.store import READ_TIMEOUT

_POLICY = "maxmemory_policy"
"""The field by which ``INFO memory`` names what the server does when memory runs short."""


class _Pool(redis.ConnectionPool):
    """Closes connections that come back because of an exception, whatever and from wherever it is.

    A signal or a time limit of the caller may strike between sending a command and reading its reply. Left open, the
    connection would give that reply to the next command.
    """

    def get_connection(self, *args: Any, **options: Any) -> Any:
        connection: Any = super().get_connection(*args, **options)  # pyright: ignore[reportUnknownMemberType]
        connection.lent_during = sys.exception()
        return connection

    def release(self, connection: Any) -> None:
        if sys.exception() is not getattr(connection, "lent_during", None):
            connection.disconnect()
        super().release(connection)


def connect(url: str, timeout: float) -> redis.Redis:
    """Return a client; it connects when first used and once more when a connection turns out to be dead.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        timeout: seconds to wait for an answer.
    """
    once_more = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    # With protocol 3, redis-py does not look for unread replies before it lends a connection.
    options: Any = {"socket_timeout": timeout, "socket_connect_timeout": READ_TIMEOUT, "protocol": 2}
    pool: Any = _Pool
    return redis.Redis.from_pool(pool.from_url(url, retry=once_more, **options))


@contextmanager
def told_plainly(url: str) -> Generator[None]:
    """Turn the store client's errors into ``StoreUnavailableError``, without the URL's password."""
    try:
        yield
    except OutOfMemoryError as error:
        raise StoreFullError(
            f"online store {place(url)}: its memory is full (maxmemory), so it takes no more rows, and what it serves "
            f"stays: give it more memory, or drop views that nobody reads; then try again"
        ) from error
    except RedisError as error:
        raise unavailable(url, error) from error


def unavailable(url: str, why: object) -> StoreUnavailableError:
    """Return the error of a store that does not answer, without the URL's password."""
    return StoreUnavailableError(
        f"online store {place(url)}: {str(why).rstrip('.')}. Check that the server runs and that the URL is right"
    )


def place(url: str) -> str:
    """Return where a URL points, without user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def store_time(client: redis.Redis) -> int:
    """Return the present by the store's clock, the one that all loaders share, microseconds UTC."""
    untyped: Any = client
    seconds, microseconds = untyped.time()
    return seconds * 1_000_000 + microseconds


def check_eviction(url: str, client: redis.Redis) -> None:
    """Refuse a server that may evict rows; see ``refuse_eviction``."""
    untyped: Any = client
    refuse_eviction(url, untyped.info("memory")[_POLICY])


def policy_in(memory: bytes) -> str:
    r"""Return the ``maxmemory-policy`` from the reply to ``INFO memory``.

    >>> policy_in(b"# Memory\r\nused_memory:5\r\nmaxmemory_policy:noeviction\r\n")
    'noeviction'
    """
    return memory.partition(_POLICY.encode() + b":")[2].partition(b"\r\n")[0].decode()


def refuse_eviction(url: str, policy: str) -> None:
    """Refuse a server that may evict keys which never expire, such as rows.

    It would give wrong answers without a sign: a row that is not there is an entity without events.

    Args:
        url: of the server.
        policy: its ``maxmemory-policy``.

    Raises:
        StoreError: it may evict them.
    """
    if policy.startswith("allkeys"):
        raise StoreError(
            f"online store {place(url)}: its maxmemory-policy is {policy}, which drops rows when memory runs short; "
            f"their entities would be taken for ones without events: set it to noeviction (or volatile-...)"
        )
