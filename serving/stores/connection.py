"""Connections to the online store, and its failures told in this project's words."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
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


def connect(url: str, timeout: float) -> redis.Redis:
    """Return a client; it connects when first used and once more when a connection turns out to be dead.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        timeout: seconds to wait for an answer.
    """
    return redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its options are untyped
        url, socket_timeout=timeout, socket_connect_timeout=READ_TIMEOUT, retry=Retry(NoBackoff(), 1)
    )


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
        f"online store {place(url)}: {why}. Check that the server runs and that the URL is right"
    )


def place(url: str) -> str:
    """Return where a URL points, without user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
