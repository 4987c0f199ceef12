"""A session without a JVM: it runs the tasks of the Spark engine in this process, each from pickled code and rows."""

# ruff: noqa: N802, N803 - names are those of pyspark
from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Partitions:
    """A frame of which each partition is a list of batches."""

    batches: list[list[pa.RecordBatch]]

    def mapInArrow(self, func: Callable[[Any], Any], schema: str) -> Partitions:
        names = [column.split()[0] for column in schema.split(", ")]
        mapped = [list(pickle.loads(pickle.dumps(func))(iter(batches))) for batches in self.batches]
        assert all(batch.schema.names == names for batches in mapped for batch in batches)
        return Partitions(mapped)

    def repartitionById(self, numPartitions: int, partitionIdCol: str) -> Partitions:
        moved: list[list[pa.RecordBatch]] = [[] for _ in range(numPartitions)]
        for batches in self.batches:
            for batch in batches:
                for row in range(batch.num_rows):
                    moved[batch.column(partitionIdCol)[row].as_py()].append(batch.slice(row, 1))
        for batches in moved:  # Spark promises no order.
            random.Random(len(batches)).shuffle(batches)
        return Partitions(moved)

    def union(self, other: Partitions) -> Partitions:
        return Partitions([*self.batches, *other.batches])

    def toArrow(self) -> pa.Table:
        batches = [batch for batches in self.batches for batch in batches]
        return pa.Table.from_batches(batches) if batches else pa.table({"place": [], "result": []})


@dataclass(frozen=True)
class TasksInProcess:
    """A session of which a job is a loop."""

    def range(self, start: int, end: int, step: int, numPartitions: int) -> Partitions:
        numbers = list(range(start, end, step))
        parts = [numbers[at::numPartitions] for at in range(numPartitions)]
        return Partitions([[pa.record_batch([pa.array(part, pa.int64())], ["id"])] for part in parts])

    def addTag(self, tag: str) -> None: ...

    def removeTag(self, tag: str) -> None: ...

    def interruptTag(self, tag: str) -> None: ...
