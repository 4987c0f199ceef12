"""The functions that run in the tasks of Spark: reading rows for all buckets, and computing one bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from feature_store.engines.engine import Staged, TilePlan, ValuePlan
from feature_store.engines.polars.chunks import Reading, from_bytes
from feature_store.engines.polars.engine import PolarsEngine, StoredFrames
from feature_store.engines.shuffle import Chunk, Chunks
from feature_store.engines.spark.buckets import BucketFrames


@dataclass(frozen=True)
class ReadTask:
    """Reads pieces of tables and cuts them into buckets.

    Attributes:
        pieces: number of a table, and what is read of it.
        buckets: their number.
        stored: reads.
    """

    pieces: tuple[tuple[int, Reading], ...]
    buckets: int
    stored: StoredFrames

    def __call__(self, number: int) -> Iterator[Chunk]:
        """Yield the rows of a piece by bucket."""
        table, reading = self.pieces[number]
        for bucket, chunk in reading.chunks(self.stored, self.buckets):
            yield bucket, table, chunk


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

    def __call__(self, bucket: int, chunks: Chunks) -> list[Staged]:
        """Return what was staged."""
        tables = {(each.rows.uri, each.rows.version): from_bytes(chunks[at]) for at, each in enumerate(self.tables)}
        return [*_executed(PolarsEngine(BucketFrames(tables, self.stored)), in_part(self.plan, bucket))]


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


def _executed(engine: PolarsEngine, plan: TilePlan | ValuePlan) -> Iterator[Staged]:
    """Yield what is staged, of which those with the same columns share their description."""
    schemas: dict[bytes, bytes] = {}
    for each in engine.tiles(plan) if isinstance(plan, TilePlan) else engine.values(plan):
        yield replace(each, schema=schemas.setdefault(each.schema, each.schema))
