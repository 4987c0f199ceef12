"""Spark as a ``Shuffle``: its tasks call ours, and it moves rows ``(place, table, chunk)`` between them.

Results return as rows too, since Spark counts accumulators of a retried task twice. An error of ours travels as a row:
trying again would not mend it.
"""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, TypeVar

import polars as pl

from feature_store.engines.shuffle import Chunk, Chunks
from feature_store.engines.spark.session import Batch, Batches, Frame, Session
from feature_store.errors import FeatureStoreError

T = TypeVar("T")

MOVED: Final = "place int, table int, chunk binary"
"""The rows that move between tasks, in Spark's words."""

RESULT: Final = "place int, result binary"
"""The rows that come back, in Spark's words."""

# pyarrow has no types of its own.
_pa: Final[Any] = import_module("pyarrow")

_FAILED: Final = -1
"""The number of no table: the chunk is a pickled error."""


@dataclass(frozen=True)
class SparkShuffle:
    """See ``Shuffle``.

    Attributes:
        session: classic, or of Spark Connect. This package and its dependencies must be importable in its tasks.
    """

    session: Session

    def read(self, pieces: int, task: Callable[[int], Iterator[Chunk]]) -> Frame:
        """Return the chunks of a task per number of a piece."""
        return self._numbers(pieces).mapInArrow(_Read(task), MOVED)

    def move(self, chunks: Frame, places: int, task: Callable[[int, Chunks], Iterator[Chunk]]) -> Frame:
        """Move chunks to their places, and return those of a task per place to which any came."""
        return chunks.repartitionById(places, "place").mapInArrow(_Move(task), MOVED)

    def together(self, one: Frame, other: Frame) -> Frame:
        """Return the chunks of both."""
        return one.union(other)

    def gather(self, chunks: Frame, places: int, task: Callable[[int, Chunks], T]) -> list[T]:
        """Move chunks to their places, and return the results of a task per place to which any came."""
        return self._results(chunks.repartitionById(places, "place").mapInArrow(_Gather(task), RESULT))

    def ask(self, pieces: int, task: Callable[[int], T]) -> list[T]:
        """Return the results of a task per number of a piece, in their order."""
        return self._results(self._numbers(pieces).mapInArrow(_Ask(task), RESULT))

    def of_frame(self, frame: Frame, task: Callable[[Iterator[pl.DataFrame]], T]) -> list[T]:
        """Return the results of a task per partition of a Spark frame, in their order."""
        return self._results(frame.mapInArrow(_OfFrame(task), RESULT))

    def _numbers(self, count: int) -> Frame:
        return self.session.range(0, count, 1, max(count, 1))

    def _results(self, frame: Frame) -> list[Any]:
        # A task that is lost is tried again by Spark; a driver that is interrupted takes its job with it.
        tag = f"feature-store-{uuid.uuid4().hex}"
        self.session.addTag(tag)
        try:
            rows = frame.toArrow()
        except BaseException:
            self.session.interruptTag(tag)
            raise
        finally:
            self.session.removeTag(tag)
        places, chunks = rows.column("place").to_pylist(), rows.column("result").to_pylist()
        found = sorted(zip(places, chunks, strict=True), key=lambda each: each[0])
        results = [pickle.loads(chunk) for _, chunk in found]  # noqa: S301  # written by our tasks
        for each in results:
            if isinstance(each, FeatureStoreError):
                raise each
        return results


@dataclass(frozen=True)
class _Read:
    task: Callable[[int], Iterator[Chunk]]

    def __call__(self, batches: Batches) -> Iterator[Batch]:
        for number in _numbers(batches):
            yield from _tried(self.task, number)


@dataclass(frozen=True)
class _Move:
    task: Callable[[int, Chunks], Iterator[Chunk]]

    def __call__(self, batches: Batches) -> Iterator[Batch]:
        for place, chunks in _by_place(batches):
            if _FAILED in chunks:
                yield _moved(0, _FAILED, chunks[_FAILED][0])
            else:
                yield from _tried(self.task, place, chunks)


@dataclass(frozen=True)
class _Gather:
    task: Callable[[int, Chunks], Any]

    def __call__(self, batches: Batches) -> Iterator[Batch]:
        for place, chunks in _by_place(batches):
            if _FAILED in chunks:
                yield _result(place, chunks[_FAILED][0])
            else:
                yield _result(place, _pickled(self.task, place, chunks))


@dataclass(frozen=True)
class _Ask:
    task: Callable[[int], Any]

    def __call__(self, batches: Batches) -> Iterator[Batch]:
        for number in _numbers(batches):
            yield _result(number, _pickled(self.task, number))


@dataclass(frozen=True)
class _OfFrame:
    task: Callable[[Iterator[pl.DataFrame]], Any]

    def __call__(self, batches: Batches) -> Iterator[Batch]:
        # Spark returns the results of partitions in their order.
        frames = (pl.DataFrame(_pa.Table.from_batches([batch])) for batch in batches)
        yield _result(0, _pickled(self.task, frames))


def _tried(task: Callable[..., Iterator[Chunk]], *arguments: Any) -> Iterator[Batch]:
    try:
        for place, table, chunk in task(*arguments):
            yield _moved(place, table, chunk)
    except FeatureStoreError as error:
        yield _moved(0, _FAILED, pickle.dumps(error))


def _pickled(task: Callable[..., Any], *arguments: Any) -> bytes:
    try:
        return pickle.dumps(task(*arguments))
    except FeatureStoreError as error:
        return pickle.dumps(error)


def _numbers(batches: Batches) -> Iterator[int]:
    for batch in batches:
        yield from batch.column(0).to_pylist()


def _by_place(batches: Batches) -> Iterator[tuple[int, dict[int, list[bytes]]]]:
    found: dict[int, dict[int, list[bytes]]] = {}
    for batch in batches:
        columns = (batch.column(name).to_pylist() for name in ("place", "table", "chunk"))
        for place, table, chunk in zip(*columns, strict=True):
            found.setdefault(place, {}).setdefault(table, []).append(chunk)
    for place in sorted(found):
        yield place, found.pop(place)


def _moved(place: int, table: int, chunk: bytes) -> Batch:
    values = [_pa.array([place], _pa.int32()), _pa.array([table], _pa.int32()), _pa.array([chunk], _pa.binary())]
    return _pa.RecordBatch.from_arrays(values, ["place", "table", "chunk"])


def _result(place: int, result: bytes) -> Batch:
    values = [_pa.array([place], _pa.int32()), _pa.array([result], _pa.binary())]
    return _pa.RecordBatch.from_arrays(values, ["place", "result"])
