"""Spaces of a store: a branch's views have keys of their own, and whoever reads or writes it reaches no others.

A space is part of a store's URL, ``redis://host:6379/0#branch=late-6``, so it goes wherever the URL goes. Within it a
view is called ``late-6@retail/spend/v1``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from feature_store.checks.branch_names import check_branch_name
from feature_store.codec.byte_strings import Ragged
from feature_store.errors import InputError
from serving.stores.errors import StoreError
from serving.stores.generations import Generation
from serving.stores.rows import RowsRead, RowsWanted
from serving.stores.snapshot import Chunk, Content, LoadReport, RestoreReport, Snapshot
from serving.stores.store import AsyncOnlineReader, OnlineInspector, OnlineLoader, OnlineReader
from serving.stores.streams import Stream

_MARK: Final = "#branch="


def in_space(url: str, branch: str) -> str:
    """Return the URL of a store as a branch uses it; of no branch (an empty name) the URL itself.

    Raises:
        InputError: the URL is that of another branch.

    >>> in_space("redis://cache:6379/0", "late-6"), in_space("redis://cache:6379/0", "")
    ('redis://cache:6379/0#branch=late-6', 'redis://cache:6379/0')
    """
    bare, own = split_space(url)
    if own and own != branch:
        raise InputError(f"the online store's URL is that of branch {own!r}, but this is {branch or 'production'!r}")
    return f"{bare}{_MARK}{branch}" if branch else bare


def split_space(url: str) -> tuple[str, str]:
    """Return a URL without its space, and the name of the branch; empty: production.

    Raises:
        InputError: what follows ``#`` is no branch.
    """
    bare, separator, rest = url.partition("#")
    if not separator:
        return bare, ""
    if not rest.startswith(_MARK[1:]):
        raise InputError("online store URL: after # stands the branch, as in redis://127.0.0.1:6379/0#branch=late-6")
    return bare, check_branch_name(rest.removeprefix(_MARK[1:]))


def name_in(branch: str, view: str) -> str:
    """Return what a view is called in a space.

    >>> name_in("late-6", "retail/spend/v1"), name_in("", "retail/spend/v1")
    ('late-6@retail/spend/v1', 'retail/spend/v1')
    """
    return f"{branch}@{view}" if branch else view


class ReaderInSpace:
    """An ``OnlineReader`` of a branch.

    Args:
        reader: of the store.
        branch: its name.
    """

    def __init__(self, reader: OnlineReader, branch: str) -> None:
        self._reader = reader
        self._branch = branch

    def read(self, wanted: Sequence[RowsWanted], time: int) -> list[RowsRead | StoreError]:
        """Read rows; see ``OnlineReader.read``."""
        return self._reader.read(_in_space(self._branch, wanted), time)

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()


class AsyncReaderInSpace:
    """An ``AsyncOnlineReader`` of a branch.

    Args:
        reader: of the store.
        branch: its name.
    """

    def __init__(self, reader: AsyncOnlineReader, branch: str) -> None:
        self._reader = reader
        self._branch = branch

    async def read(self, wanted: Sequence[RowsWanted], time: int) -> list[RowsRead | StoreError]:
        """Read rows; see ``OnlineReader.read``."""
        return await self._reader.read(_in_space(self._branch, wanted), time)

    async def check(self) -> None:
        """Ask the store for a sign of life; see ``AsyncOnlineReader.check``."""
        await self._reader.check()

    async def close(self) -> None:
        """Close the connections."""
        await self._reader.close()


class LoaderInSpace:
    """An ``OnlineLoader`` of a branch.

    Args:
        loader: of the store.
        branch: its name.
    """

    def __init__(self, loader: OnlineLoader, branch: str) -> None:
        self._loader = loader
        self._branch = branch

    def generations(self, view: str) -> tuple[Generation, ...]:
        """Return the live generations of a view."""
        return self._loader.generations(name_in(self._branch, view))

    def rejected(self, view: str) -> frozenset[Content]:
        """Return the snapshots of a view that were rejected."""
        return self._loader.rejected(name_in(self._branch, view))

    def needs(self, view: str, snapshot: Snapshot) -> bool:
        """Return whether ``load`` would write anything."""
        return self._loader.needs(name_in(self._branch, view), snapshot)

    def load(
        self, view: str, snapshot: Snapshot, chunks: Iterable[Chunk], progress: Callable[[int], None] | None = None
    ) -> LoadReport:
        """Load a snapshot; see ``OnlineLoader.load``."""
        return self._loader.load(name_in(self._branch, view), snapshot, chunks, progress)

    def restore(self, view: str, generation: int | None = None) -> RestoreReport:
        """Serve an earlier generation again; see ``OnlineLoader.restore``."""
        return self._loader.restore(name_in(self._branch, view), generation)

    def accept(self, view: str) -> frozenset[Content]:
        """Let rejected snapshots be loaded again, and return them."""
        return self._loader.accept(name_in(self._branch, view))

    def drop_view(self, view: str) -> None:
        """Remove everything of a view from the space."""
        self._loader.drop_view(name_in(self._branch, view))

    def close(self) -> None:
        """Close the connections."""
        self._loader.close()


class InspectorInSpace:
    """An ``OnlineInspector`` of a branch; what it counts by the id of a generation is of the whole store.

    Args:
        inspector: of the store.
        branch: its name.
    """

    def __init__(self, inspector: OnlineInspector, branch: str) -> None:
        self._inspector = inspector
        self._branch = branch

    def generations(self, view: str) -> tuple[Generation, ...]:
        """Return the generations of a view that are listed."""
        return self._inspector.generations(name_in(self._branch, view))

    def stream(self, view: str) -> Stream | None:
        """Return the stream of a view; None: no writer was ever at work."""
        return self._inspector.stream(name_in(self._branch, view))

    def rows(self, owner: Generation | Stream, entities: Ragged) -> list[bytes | None] | None:
        """Return the row, or None, of encoded entities; see ``OnlineInspector.rows``."""
        return self._inspector.rows(owner, entities)

    def entities(self, view: str, owner: Generation | Stream) -> Iterator[Ragged]:
        """Yield the entities that were written; see ``OnlineInspector.entities``."""
        return self._inspector.entities(name_in(self._branch, view), owner)

    def row_counts(self, progress: Callable[[int, int], None] | None = None) -> Mapping[int, int]:
        """Count the rows that there are; see ``OnlineInspector.row_counts``."""
        return self._inspector.row_counts(progress)

    def entities_with_rows(self, owner: Generation | Stream) -> Iterator[list[bytes]]:
        """Yield the entities that have a row; see ``OnlineInspector.entities_with_rows``."""
        return self._inspector.entities_with_rows(owner)

    def close(self) -> None:
        """Close the connections."""
        self._inspector.close()


def _in_space(branch: str, wanted: Sequence[RowsWanted]) -> list[RowsWanted]:
    return [replace(each, view=name_in(branch, each.view)) for each in wanted]
