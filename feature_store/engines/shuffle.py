"""Tasks on many machines, and chunks of rows that move between them: what of a cluster is used, whichever it is.

A task is a function that can be pickled. It may run several times: then one of its results counts. An error of ours
that it raises is raised by whoever asked for results, as itself, and is not tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

Chunk = tuple[int, int, bytes]
"""To which place it goes, the number of the table of which it has rows, and the rows, an Arrow IPC stream."""

Chunks = Mapping[int, Sequence[bytes]]
"""All chunks that came to one place, by the number of their table, in no particular order."""

Moving = Any
"""Chunks in the cluster."""

T = TypeVar("T")


class Shuffle(Protocol):
    """A cluster."""

    def read(self, pieces: int, task: Callable[[int], Iterator[Chunk]]) -> Moving:
        """Return the chunks of a task per number of a piece, from 0."""
        ...

    def move(self, chunks: Moving, places: int, task: Callable[[int, Chunks], Iterator[Chunk]]) -> Moving:
        """Move chunks to their places, and return those of a task per place to which any came."""
        ...

    def together(self, one: Moving, other: Moving) -> Moving:
        """Return the chunks of both."""
        ...

    def gather(self, chunks: Moving, places: int, task: Callable[[int, Chunks], T]) -> list[T]:
        """Move chunks to their places, and return the results of a task per place to which any came, in no order.

        Results are facts, not rows: they are collected here.

        Raises:
            FeatureStoreError: the first, by place, that a task met, as itself.
        """
        ...

    def ask(self, pieces: int, task: Callable[[int], T]) -> list[T]:
        """Return the results of a task per number of a piece, from 0, in their order; see ``gather``."""
        ...

    def of_frame(self, frame: Any, task: Callable[[Iterator[Any]], T]) -> list[T]:
        """Return the results of a task per partition of a frame of the cluster, in their order; see ``gather``.

        Args:
            frame: as users of the cluster have it.
            task: given the rows of a partition, in their order, in Polars frames of some rows each.
        """
        ...
