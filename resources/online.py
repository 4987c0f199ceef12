"""The online store as a Dagster resource: any Redis or Valkey by URL, or the embedded one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from resources.settings import Settings
from serving.stores.open_store import open_loader
from serving.stores.spaces import in_space
from serving.stores.store import WRITE_TIMEOUT, OnlineLoader


def running_url(settings: Settings) -> str:
    """Return the URL of the project's online store, of the space of the branch; an embedded one is started first."""
    return in_space(settings.online_url or _embedded(settings.online_folder), settings.branch)


def without_password(url: str) -> str:
    """Return a URL as it may be shown.

    >>> without_password("redis://loader:secret@cache:6379/0")
    'redis://loader:***@cache:6379/0'
    """
    return re.sub(r"(?<=:)[^:@/]*(?=@)", "***", url)


class OnlineStoreResource(dg.ConfigurableResource):
    """The store that views are loaded into for serving.

    Attributes:
        url: ``redis://...``; empty: the embedded Valkey, started when it is first needed. Dagster shows it: give
            one with a password as ``dg.EnvVar(...)``.
        embedded_folder: where the embedded Valkey keeps its data.
        branch: in whose space of the store views are; empty: production.
    """

    url: str = ""
    embedded_folder: str = ""
    branch: str = ""

    def running_url(self) -> str:
        """Return the URL of a store that runs."""
        return in_space(self.url or _embedded(Path(self.embedded_folder)), self.branch)

    @contextmanager
    def writer(self, timeout: float = WRITE_TIMEOUT) -> Iterator[OnlineLoader]:
        """Give a writer for the time of a load, or of a look at what is loaded.

        Args:
            timeout: seconds to wait for an answer of the store.
        """
        writer = open_loader(self.running_url(), timeout=timeout)
        try:
            yield writer
        finally:
            writer.close()


def _embedded(folder: Path) -> str:
    from serving.stores.redis.embedded import ensure_embedded  # noqa: PLC0415 - who has a URL, or declares, needs none

    return ensure_embedded(folder)
