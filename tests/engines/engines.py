"""The engines that are tested: whoever adds one names it here, and every test of this folder runs on it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from feature_store.engines.engine import Engine, Staged, StoredRows, TilePlan, ValuePlan
from feature_store.engines.polars.engine import PolarsEngine
from feature_store.offline.tables.stored_frames import OfflineFrames
from feature_store.temporal.durations import DAY


class BucketFrames(OfflineFrames):
    """The rows of one bucket of entities; those without a key are in the first."""

    def __init__(self, bucket: int, buckets: int) -> None:
        super().__init__()
        self.bucket, self.buckets = bucket, buckets

    def __reduce__(self) -> tuple[Any, ...]:
        return BucketFrames, (self.bucket, self.buckets)

    def scan(self, rows: StoredRows) -> pl.LazyFrame:
        key = pl.col("shopper_id")
        return super().scan(rows).filter((key % self.buckets == self.bucket) | (key.is_null() & (self.bucket == 0)))


@dataclass(frozen=True)
class BucketEngine:
    """The Polars engine as tasks of a distributed one run it: each for a bucket of entities, from pickled plans."""

    parts: int

    def tiles(self, plan: TilePlan) -> Iterator[Staged]:
        for part in range(self.parts):
            target = replace(plan.target, part=part)
            yield from _elsewhere(PolarsEngine.tiles, self._task(part), replace(plan, target=target))

    def values(self, plan: ValuePlan) -> Iterator[Staged]:
        for part in range(self.parts):
            ranges = tuple(
                each
                if each.history is None
                else replace(each, history=replace(each.history, target=replace(each.history.target, part=part)))
                for each in plan.ranges
            )
            own = replace(plan, target=replace(plan.target, part=part), ranges=ranges)
            yield from _elsewhere(PolarsEngine.values, self._task(part), own)

    def _task(self, part: int) -> PolarsEngine:
        return PolarsEngine(BucketFrames(part, self.parts))


def _elsewhere(
    execute: Callable[[PolarsEngine, Any], Iterator[Staged]], engine: PolarsEngine, plan: Any
) -> list[Staged]:
    sent = pickle.loads(pickle.dumps((engine, plan)))
    return pickle.loads(pickle.dumps(list(execute(*sent))))


ENGINES: Final[dict[str, Callable[[], Engine]]] = {
    "polars": lambda: PolarsEngine(OfflineFrames()),
    "polars, day by day": lambda: PolarsEngine(OfflineFrames(), at_once=DAY),
    "polars in tasks": lambda: BucketEngine(3),
}
