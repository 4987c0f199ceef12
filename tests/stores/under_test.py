"""What a test of the contract needs besides the contract: a URL, and ways to do harm behind the store's back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from serving.stores.errors import StoreError
from serving.stores.open_store import open_async_reader, open_reader
from serving.stores.rows import RowsRead, RowsWanted


class StoreUnderTest(Protocol):
    """A store that runs."""

    url: str
    """By which everybody opens it."""

    unreachable: str
    """A URL of the same kind with the password ``secret``, where nothing answers."""

    def row_count(self) -> int:
        """Count the rows of generations, live or not."""
        ...

    def lose_rows(self, generation: int) -> None:
        """Lose the rows of a generation, as an operator or an eviction may do."""
        ...

    def replace_row(self, generation: int, entity: bytes, row: bytes | None) -> bytes | None:
        """Put another row in the place of an entity's, None: delete it; return the one that was there."""
        ...

    def replace_pointer(self, view: str, pointer: bytes | None) -> bytes | None:
        """Put another list of generations in the place of a view's, None: delete it; return the one there was."""
        ...

    def replace_stream(self, view: str, record: bytes | None) -> bytes | None:
        """Put another record in the place of that of a view's stream, as ``replace_pointer``."""
        ...

    def replace_rejected(self, view: str, snapshots: bytes | None) -> bytes | None:
        """Put another list in the place of the snapshots of a view that were rejected, as ``replace_pointer``."""
        ...

    def empty(self) -> None:
        """Lose everything, as a server that restarts without its disk does."""
        ...

    def end_lease(self, view: str) -> None:
        """Let the lease of the loader at work on a view run out."""
        ...


class ThreadReader:
    """Reads as a job does."""

    def __init__(self, url: str) -> None:
        self._reader = open_reader(url)

    def read(self, wanted: Sequence[RowsWanted], time: int) -> list[RowsRead | StoreError]:
        return self._reader.read(wanted, time)

    def close(self) -> None:
        self._reader.close()


class LoopReader:
    """Reads as the server does: one reader for its whole life, on a loop of its own."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._reader = open_async_reader(url)

    def read(self, wanted: Sequence[RowsWanted], time: int) -> list[RowsRead | StoreError]:
        return self._runner.run(self._reader.read(wanted, time))

    def check(self) -> None:
        self._runner.run(self._reader.check())

    def close(self) -> None:
        self._runner.run(self._reader.close())
        self._runner.close()
