"""The store that a URL names, and the space of it.

The only module that knows which stores there are; each is imported when it is opened.

To add one: a package beside ``redis`` whose classes keep the promises of ``serving.stores.store``, its schemes here,
and one entry in ``tests/stores/conftest.py``.
"""

from __future__ import annotations

from typing import Final

from feature_store.codec.tile_codec import TileLayout
from feature_store.errors import InputError
from serving.stores.spaces import (
    AsyncReaderInSpace,
    InspectorInSpace,
    LoaderInSpace,
    ReaderInSpace,
    name_in,
    split_space,
)
from serving.stores.store import (
    LEASE_SECONDS,
    WRITE_TIMEOUT,
    AsyncOnlineReader,
    OnlineInspector,
    OnlineLoader,
    OnlineReader,
    StreamRows,
)

SCHEMES: Final = {"redis": "Redis or Valkey", "rediss": "the same over TLS", "unix": "the same over a Unix socket"}
"""The scheme of a URL, and the store that it stands for."""


def open_reader(url: str) -> OnlineReader:
    """Return a reader for threads; it connects when first used.

    Raises:
        InputError: no store is known by the URL's scheme.
    """
    bare, branch = _split(url)
    from serving.stores.redis.read.reader import RedisReader  # noqa: PLC0415 - a store is imported when it is opened

    reader = RedisReader(bare)
    return ReaderInSpace(reader, branch) if branch else reader


def open_async_reader(url: str) -> AsyncOnlineReader:
    """Return a reader for an event loop; it connects when first used.

    Raises:
        InputError: no store is known by the URL's scheme, or the URL holds an option that its reader does not know.
    """
    bare, branch = _split(url)
    from serving.stores.redis.read.async_reader import RedisAsyncReader  # noqa: PLC0415 - as above

    reader = RedisAsyncReader(bare)
    return AsyncReaderInSpace(reader, branch) if branch else reader


def open_loader(url: str, *, lease_seconds: float = LEASE_SECONDS, timeout: float = WRITE_TIMEOUT) -> OnlineLoader:
    """Return a loader; it connects when first used.

    Args:
        url: of the store.
        lease_seconds: how long another loader waits for this one after its last sign of life.
        timeout: seconds to wait for an answer.

    Raises:
        InputError: no store is known by the URL's scheme.
    """
    bare, branch = _split(url)
    from serving.stores.redis.write.loader import RedisLoader  # noqa: PLC0415 - readers do without what writes

    loader = RedisLoader(bare, lease_seconds=lease_seconds, timeout=timeout)
    return LoaderInSpace(loader, branch) if branch else loader


def open_inspector(url: str) -> OnlineInspector:
    """Return what looks at all that lies in a store; it connects when first used.

    Raises:
        InputError: no store is known by the URL's scheme.
    """
    bare, branch = _split(url)
    from serving.stores.redis.read.inspector import RedisInspector  # noqa: PLC0415 - as above

    inspector = RedisInspector(bare)
    return InspectorInSpace(inspector, branch) if branch else inspector


def open_stream_rows(url: str, view: str, layout: TileLayout, *, since: int, whole_from: int) -> StreamRows:
    """Take over the rows of a view's stream.

    Args:
        url: of the store.
        view: full name of the view.
        layout: of its tiles.
        since: every event from this instant on will be written, microseconds UTC. A stream of that layout which is
            complete up to there is continued.
        whole_from: where a new stream begins otherwise, not before ``since``, microseconds UTC.

    Raises:
        InputError: no store is known by the URL's scheme.
        StoreUnavailableError: the store does not answer.
        StoreError: it may lose rows.
    """
    bare, branch = _split(url)
    from serving.stores.redis.write.stream_rows import RedisStreamRows  # noqa: PLC0415 - as above

    return RedisStreamRows(bare, name_in(branch, view), layout, since, whole_from)


def _split(url: str) -> tuple[str, str]:
    """Return the URL of the store, and the branch whose space of it is meant; empty: production."""
    scheme, separator, _ = url.partition("://")
    if not separator or scheme.lower() not in SCHEMES:
        known = ", ".join(f"{name}:// ({store})" for name, store in SCHEMES.items())
        said = f"the scheme {scheme!r}" if separator else "a text without a scheme"
        raise InputError(f"online store URL: no store is known by {said}; known are {known}")
    return split_space(url)
