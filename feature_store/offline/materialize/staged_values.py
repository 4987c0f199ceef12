"""Values that an engine computed and staged: to be looked at, and then committed, or not."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

import polars as pl

from feature_store.engines.engine import Engine, Staged, Target
from feature_store.model.views import FeatureView
from feature_store.offline.delta.instants import partition_starts
from feature_store.offline.delta.staged_files import read_staged
from feature_store.offline.delta.stages import Stage, open_stage
from feature_store.offline.materialize.default_engine import default_engine
from feature_store.offline.materialize.plans import first_state, plan_values, state_hash
from feature_store.offline.materialize.value_inputs import ValueInputs
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.view_tables import CHECKPOINT_SPAN, StateTable, ValueTable, ViewTable
from feature_store.temporal.durations import DAY
from feature_store.temporal.instants import from_microseconds, to_microseconds

Progress = Callable[[int, int], None]
"""Called with the number of partitions done and of all."""


@dataclass
class StagedValues:
    """Values of contiguous partitions that no reader sees until they are committed.

    Attributes:
        view: the view.
        starts: starts of the partitions.
        lacking: by partition start, the features that could not be computed; partitions with all are not listed.
        warnings: why not, and what to do.
        table: that they are staged for.
        stage: that they belong to.
        inputs: what they were computed from.
        states: all-history states that were passed.
        staged: the files.
    """

    view: FeatureView
    starts: Sequence[datetime]
    lacking: Mapping[datetime, frozenset[str]]
    warnings: tuple[str, ...]
    table: ValueTable
    stage: Stage
    inputs: ValueInputs
    states: Sequence[_States]
    staged: list[Staged] = field(default_factory=list[Staged])

    @property
    def rows(self) -> dict[datetime, int]:
        """The number of rows of each partition."""
        facts = (partition for each in self.staged for partition in each.partitions)
        found = dict.fromkeys(self.starts, 0)
        for partition in facts:
            found[from_microseconds(partition.start)] += partition.content.rows
        return found

    @property
    def nulls(self) -> dict[str, int]:
        """The number of nulls of each column that has any."""
        found: dict[str, int] = {}
        for partition in (partition for each in self.staged for partition in each.partitions):
            for name, count in partition.nulls.items():
                found[name] = found.get(name, 0) + count
        return found

    def frames(self) -> Iterator[tuple[list[datetime], pl.DataFrame]]:
        """Read what was staged, day by day in order.

        Yields:
            The starts of the partitions, and their rows: ``partition_start, as_of``, keys and stored features.
        """
        for _, group in groupby(sorted(self.staged, key=_day), key=_day):
            day = list(group)
            starts = sorted({partition.start for each in day for partition in each.partitions})
            rows = pl.concat(read_staged(self.table.uri, self.table.options, each) for each in day)
            yield [from_microseconds(start) for start in starts], rows

    def commit(self) -> int:
        """Make the values readable, all at once, and the states that later ones start from; return the number of rows.

        Raises:
            InputError: what was staged is not what the table holds, or not all there any more.
            ConflictError: another run wrote some of the partitions meanwhile: compute them again.
        """
        hashes = {at: self.inputs.hash_at(to_microseconds(at) + self.view.cadence) for at in self.starts}
        end = self.starts[-1] + timedelta(microseconds=self.view.cadence)
        rows = self.table.commit(self.stage, self.staged, self.starts[0], end, inputs_hash=hashes, lacking=self.lacking)
        for states in self.states:
            states.commit(self.inputs)
        return rows


@dataclass
class _States:
    """All-history states that were passed; of the features that can be computed of one range of as-ofs."""

    view: FeatureView
    table: StateTable
    stage: Stage
    staged: list[Staged] = field(default_factory=list[Staged])

    @property
    def target(self) -> Target:
        return self.table.target(self.stage)

    def commit(self, inputs: ValueInputs) -> None:
        starts = [partition.start for each in self.staged for partition in each.partitions]
        if starts:
            hashes = {
                from_microseconds(at): state_hash(self.view, inputs.landed, at + CHECKPOINT_SPAN) for at in starts
            }
            end = from_microseconds(max(starts) + CHECKPOINT_SPAN)
            self.table.commit(self.stage, self.staged, min(hashes), end, inputs_hash=hashes)


@contextmanager
def stage_values(
    store: OfflineStore,
    view: FeatureView,
    start: datetime,
    end: datetime,
    run_id: str,
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Generator[StagedValues]:
    """Compute the values of the partitions of ``[start, end)``, each as of its end, and commit nothing yet.

    A feature that was added after the tiles of its window were built is left out of the partitions that need them.
    What is not committed within the block is gone after it.

    Args:
        store: the offline store.
        view: the view.
        start: start of the first partition.
        end: end of the last.
        run_id: of the run that computes.
        engine: computes; None: the default.
        progress: called after each partition.

    Raises:
        MissingTilesError: tiles (for table views: source partitions) that a window reaches have not landed, or no
            feature can be computed from those that have.
    """
    starts = partition_starts(start, end, view.cadence)
    as_ofs = [to_microseconds(at) + view.cadence for at in starts]
    table, engine = store.values(view), engine or default_engine()
    with ExitStack() as stack:
        # The stage is begun before the inputs are read: what is committed in between is newer than they may be.
        stage = stack.enter_context(_stage_of(table, run_id, to_microseconds(start), as_ofs[-1], engine))
        inputs = ValueInputs.of(store, view)
        inputs.require(as_ofs)
        states = [
            _States(
                each,
                store.state(each),
                stack.enter_context(_stage_of(store.state(each), run_id, first_state(each), as_ofs[-1], engine)),
            )
            for each, _ in groupby(as_ofs, inputs.computable.view_at)
            if each.has_all_history
        ]
        plan = plan_values(
            inputs, as_ofs, table.target(stage), store.state(view).open(), [each.target for each in states]
        )
        lacking = {at: inputs.computable.lacking(as_of) for at, as_of in zip(starts, as_ofs, strict=True)}
        values = StagedValues(
            view=view,
            starts=starts,
            lacking={at: names for at, names in lacking.items() if names},
            warnings=tuple(dict.fromkeys(reason for as_of in as_ofs for reason in inputs.computable.reasons(as_of))),
            table=table,
            stage=stage,
            inputs=inputs,
            states=states,
        )
        by_stage = {stage.name: values.staged} | {each.stage.name: each.staged for each in states}
        done = 0
        for staged in engine.values(plan):
            by_stage[staged.stage].append(staged)
            if progress is not None and staged.stage == stage.name:
                for _ in staged.partitions:
                    done += 1
                    progress(done, len(starts))
        yield values


def _stage_of(table: ViewTable, run_id: str, start: int, end: int, engine: Engine) -> AbstractContextManager[Stage]:
    return open_stage(table.uri, table.options, run_id, table.delta_version(), start, end, table.cadence, engine.parts)


def _day(staged: Staged) -> int:
    """Return the day of which it holds partitions, counted from the Unix epoch."""
    return staged.partitions[0].start // DAY
