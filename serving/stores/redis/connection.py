"""Connections to the online store, and its failures told in this project's words."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from serving.stores.errors import StoreUnavailableError

READ_TIMEOUT: Final = 2.0
"""Seconds that a reader waits for the store before it gives up."""

WRITE_TIMEOUT: Final = 60.0
"""Seconds that a loader waits: the server may be busy freeing or saving."""


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
