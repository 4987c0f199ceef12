"""The functions that run in the tasks of Spark: reading rows for all buckets, and computing one bucket.

Between them Spark moves rows ``(bucket, table, chunk)``: the number of a bucket and of a table, and rows of that table
as an Arrow IPC stream. What is computed returns as rows too, since Spark counts accumulators of a retried task twice.
An error of ours travels as a row: trying again would not mend it.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final

from feature_store.engines.engine import Staged, StoredRows, TilePlan, ValuePlan
from feature_store.engines.polars.engine import PolarsEngine, StoredFrames
from feature_store.engines.spark.buckets import BucketFrames, from_bytes, split, to_bytes
from feature_store.engines.spark.session import Batch, Batches
from feature_store.errors import FeatureStoreError

MOVED: Final = "bucket int, table int, chunk binary"
"""The rows between the two kinds of tasks, in Spark's words."""

RESULT: Final = "result binary"
"""The rows that come back, in Spark's words."""

# pyarrow has no types of its own.
_pa: Final[Any] = import_module("pyarrow")

_FAILED: Final = -1
"""The number of no table: the chunk is a pickled error."""


@dataclass(frozen=True)
class Reading:
    """Rows of one table that are moved to their buckets.

    Attributes:
        rows: partitions of a stored table.
        columns: the columns to read; None: all.
        keys: columns that hold the keys of the entity.
    """

    rows: StoredRows
    columns: tuple[str, ...] | None
    keys: tuple[str, ...]

    def in_pieces(self, most: int) -> Iterator[Reading]:
        """Yield it in at most so many pieces of contiguous partitions."""
        partitions = self.rows.partitions
        size = max(1, -(-len(partitions) // most))
        for at in range(0, len(partitions), size):
            yield replace(self, rows=replace(self.rows, partitions=partitions[at : at + size]))


@dataclass(frozen=True)
class ReadTask:
    """Reads pieces of tables and cuts them into buckets; the input is the numbers of pieces.

    Attributes:
        tables: the tables that are read.
        pieces: number of a table, and what is read of it. A table has one piece without partitions, of which every
            bucket gets its columns, also one to which no row belongs.
        buckets: their number.
        stored: reads.
    """

    tables: tuple[Reading, ...]
    pieces: tuple[tuple[int, Reading], ...]
    buckets: int
    stored: StoredFrames

    def __call__(self, batches: Batches) -> Iterator[Batch]:
        """Yield the rows of pieces by bucket."""
        for batch in batches:
            numbers: list[int] = batch.column(0).to_pylist()
            for table, reading in map(self.pieces.__getitem__, numbers):
                try:
                    for bucket, chunk in self._chunks(reading):
                        yield _moved(bucket, table, chunk)
                except FeatureStoreError as error:
                    yield _moved(0, _FAILED, pickle.dumps(error))

    def _chunks(self, reading: Reading) -> Iterator[tuple[int, bytes]]:
        rows = self.stored.scan(reading.rows)
        if reading.columns is not None:
            found = rows.collect_schema().names()
            rows = rows.select(name for name in found if name in {"partition_start", *reading.columns})
        frame = rows.collect()
        if not reading.rows.partitions:
            yield from ((bucket, to_bytes(frame.clear())) for bucket in range(self.buckets))
        else:
            yield from split(frame, reading.keys, self.buckets)


@dataclass(frozen=True)
class ComputeTask:
    """Computes and stages what belongs to a bucket; the input is all its chunks.

    Attributes:
        plan: of the whole.
        tables: the tables whose rows arrive, by number.
        stored: stages.
    """

    plan: TilePlan | ValuePlan
    tables: tuple[Reading, ...]
    stored: StoredFrames

    def __call__(self, batches: Batches) -> Iterator[Batch]:
        """Yield the results of the buckets that arrived: what was staged, or an error."""
        for bucket, chunks in sorted(_by_bucket(batches).items()):
            yield _result(self._execute(bucket, chunks))

    def _execute(self, bucket: int, chunks: dict[int, list[bytes]]) -> list[Staged] | FeatureStoreError:
        if _FAILED in chunks:
            return pickle.loads(chunks[_FAILED][0])  # noqa: S301  # written by another task of this job
        tables = {(each.rows.uri, each.rows.version): from_bytes(chunks[at]) for at, each in enumerate(self.tables)}
        engine = PolarsEngine(BucketFrames(tables, self.stored))
        try:
            return [*_executed(engine, in_part(self.plan, bucket))]
        except FeatureStoreError as error:
            return error


def in_part(plan: TilePlan | ValuePlan, part: int) -> TilePlan | ValuePlan:
    """Return the plan of one of the tasks, which gives its files a number of their own."""
    target = replace(plan.target, part=part)
    if isinstance(plan, TilePlan):
        return replace(plan, target=target)
    histories = [
        None if each.history is None else replace(each.history, target=replace(each.history.target, part=part))
        for each in plan.ranges
    ]
    ranges = tuple(replace(each, history=history) for each, history in zip(plan.ranges, histories, strict=True))
    return replace(plan, target=target, ranges=ranges)


def results(chunks: Iterable[bytes]) -> Iterator[Staged]:
    """Yield what tasks staged.

    Raises:
        FeatureStoreError: the first error, by bucket, that a task met, as itself.
    """
    found: Sequence[list[Staged] | FeatureStoreError] = [pickle.loads(chunk) for chunk in chunks]  # noqa: S301  # written by our tasks
    for each in found:
        if isinstance(each, FeatureStoreError):
            raise each
    for each in found:
        assert not isinstance(each, FeatureStoreError)
        yield from each


def _executed(engine: PolarsEngine, plan: TilePlan | ValuePlan) -> Iterator[Staged]:
    """Yield what is staged, of which those with the same columns share their description."""
    schemas: dict[bytes, bytes] = {}
    for each in engine.tiles(plan) if isinstance(plan, TilePlan) else engine.values(plan):
        yield replace(each, schema=schemas.setdefault(each.schema, each.schema))


def _by_bucket(batches: Batches) -> dict[int, dict[int, list[bytes]]]:
    found: dict[int, dict[int, list[bytes]]] = {}
    for batch in batches:
        columns = (batch.column(name).to_pylist() for name in ("bucket", "table", "chunk"))
        for bucket, table, chunk in zip(*columns, strict=True):
            found.setdefault(bucket, {}).setdefault(table, []).append(chunk)
    return found


def _moved(bucket: int, table: int, chunk: bytes) -> Batch:
    values = [_pa.array([bucket], _pa.int32()), _pa.array([table], _pa.int32()), _pa.array([chunk], _pa.binary())]
    return _pa.RecordBatch.from_arrays(values, ["bucket", "table", "chunk"])


def _result(result: list[Staged] | FeatureStoreError) -> Batch:
    return _pa.RecordBatch.from_arrays([_pa.array([pickle.dumps(result)], _pa.binary())], ["result"])
