"""The part of pyspark that the engine uses, which Spark and Spark Connect have alike. Names are pyspark's."""
# ruff: noqa: N802, N803

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

Batch = Any
"""A ``pyarrow.RecordBatch``; pyarrow has no types of its own."""

Batches = Iterable[Batch]


class Frame(Protocol):
    """A ``pyspark.sql.DataFrame``."""

    def mapInArrow(self, func: Callable[[Batches], Iterator[Batch]], schema: str) -> Frame:
        """Call a function per partition, in a task."""
        ...

    def repartitionById(self, numPartitions: int, partitionIdCol: str) -> Frame:
        """Move each row to the partition of its number."""
        ...

    def union(self, other: Frame) -> Frame:
        """Return the rows of both."""
        ...

    def toArrow(self) -> Any:
        """Run the job and return its rows, a ``pyarrow.Table``."""
        ...


class Session(Protocol):
    """A ``pyspark.sql.SparkSession``."""

    def range(self, start: int, end: int, step: int, numPartitions: int) -> Frame:
        """Return the numbers of a range."""
        ...

    def addTag(self, tag: str) -> None:
        """Mark the jobs that this thread starts from now on."""
        ...

    def removeTag(self, tag: str) -> None:
        """Mark jobs no longer."""
        ...

    def interruptTag(self, tag: str) -> object:
        """Cancel the jobs with a mark."""
        ...
