"""The Spark engine: rows are moved by entity, and the Polars engine computes each bucket of entities in a task.

An entity's values depend on its own rows alone, and not on their order or chunking, so the results are those of the
Polars engine to the last bit. One job executes one plan, however long its range is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from feature_store.engines.engine import Staged, StoredRows, TilePlan, ValuePlan
from feature_store.engines.polars.chunks import Reading
from feature_store.engines.polars.engine import StoredFrames
from feature_store.engines.polars.tiles import columns_read
from feature_store.engines.spark.session import Session
from feature_store.engines.spark.shuffle import SparkShuffle
from feature_store.engines.spark.tasks import ComputeTask, ReadTask

MOST_PIECES: Final = 512
"""Into so many pieces at most a table is cut for reading: each costs a task."""


@dataclass(frozen=True)
class SparkEngine:
    """Computes in the tasks of a Spark cluster; see ``Engine``.

    Attributes:
        session: classic, or of Spark Connect. This package and its dependencies must be importable in its tasks.
        stored: reads and stages, in tasks; pickled.
        parts: the number of buckets that entities are divided into. A task holds the rows of one bucket in memory, and
            computes what belongs to it.
    """

    session: Session
    stored: StoredFrames
    parts: int

    @property
    def shuffle(self) -> SparkShuffle:
        """The cluster that runs its tasks."""
        return SparkShuffle(self.session)

    def tiles(self, plan: TilePlan) -> Iterator[Staged]:
        """Build and stage tiles; see ``Engine.tiles``."""
        view = plan.view
        yield from self._run(plan, Reading(plan.source, columns_read(view), view.key_columns))

    def values(self, plan: ValuePlan) -> Iterator[Staged]:
        """Compute and stage values; see ``Engine.values``."""
        view = plan.view
        inputs = (
            Reading(plan.inputs, tuple(view.source.columns), view.key_columns)
            if view.is_table
            else Reading(plan.inputs, None, view.keys)
        )
        states = [Reading(rows, None, view.keys) for rows in _states(plan)]
        yield from self._run(plan, inputs, *states)

    def _run(self, plan: TilePlan | ValuePlan, *tables: Reading) -> Iterator[Staged]:
        pieces = [(number, piece) for number, table in enumerate(tables) for piece in table.in_pieces(MOST_PIECES)]
        read = self.shuffle.read(len(pieces), ReadTask(tuple(pieces), self.parts, self.stored))
        for staged in self.shuffle.gather(read, self.parts, ComputeTask(plan, tables, self.stored)):
            yield from staged


def _states(plan: ValuePlan) -> list[StoredRows]:
    """Return the partitions of all-history states that a plan begins with, once per table."""
    tables: dict[tuple[str, int | None], StoredRows] = {}
    for each in plan.ranges:
        if each.history is not None and each.history.stored is not None:
            rows = each.history.stored
            known = tables.get((rows.uri, rows.version), replace(rows, partitions=()))
            tables[rows.uri, rows.version] = replace(
                rows, partitions=tuple(sorted({*known.partitions, *rows.partitions}))
            )
    return list(tables.values())
