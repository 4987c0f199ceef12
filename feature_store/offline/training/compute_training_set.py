"""Computing a training set and storing it at once, by whatever engine computes: in this process, or shard by shard.

What is stored is the same. Where a cluster computes, the driver looks at the spine once, decides from the ledgers which
partitions are read, and commits what tasks staged; no row comes to it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from feature_store.checks.arguments import checked
from feature_store.engines.engine import Engine, Staged, Target
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.polars.frames import read_frame
from feature_store.engines.shuffle import Shuffle
from feature_store.errors import InputError
from feature_store.model.services import FeatureService
from feature_store.offline.delta.instants import partition_starts
from feature_store.offline.delta.paths import training_uri
from feature_store.offline.delta.staged_files import rows_like, stage_day
from feature_store.offline.delta.stages import Stage, open_stage
from feature_store.offline.delta.storage_types import check_stored_names
from feature_store.offline.join.findings import (
    Ages,
    missing_together,
    require_computed,
    require_fit,
    stale_views,
)
from feature_store.offline.join.opened_views import Opened, open_views, opened_versions
from feature_store.offline.join.partition_choice import Availability
from feature_store.offline.join.point_in_time import check_for_join, expiring_after
from feature_store.offline.materialize.default_engine import default_engine
from feature_store.offline.tables.partitioned_table import PartitionedTable, Write
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.day_inputs import day_inputs
from feature_store.offline.training.manifests import Manifest, append_manifest
from feature_store.offline.training.shards.plan import Groups, Question, ShardPlan
from feature_store.offline.training.shards.readings import listed, shard_view
from feature_store.offline.training.shards.samples import sample_of
from feature_store.offline.training.shards.spine_files import SpineFiles, WriteSpine
from feature_store.offline.training.shards.tasks import (
    FindUncomputed,
    GroupFacts,
    JoinShard,
    Look,
    PieceFacts,
    PutTogether,
    ReadGroups,
    ReadShards,
)
from feature_store.offline.training.training_sets import (
    build_training_set,
    day_bound,
    training_write,
    write_training_set,
)
from feature_store.plans.service_plan import ServicePlan
from feature_store.temporal.durations import DAY
from feature_store.temporal.instants import from_microseconds, to_microseconds

_LOG: Final = logging.getLogger(__name__)

GROUP_ROWS: Final = 1_000_000
"""About so many rows of a day at most become one file."""

MOST_READS: Final = 256
"""Into so many pieces at most a table is cut for reading: each costs a task."""


@dataclass(frozen=True)
class StoredTrainingSet:
    """A training set that was computed and stored.

    Attributes:
        manifest: what it was made from.
        rows: by day, the number of its rows; days without rows are left out.
        warnings: see ``TrainingSet.warnings``.
    """

    manifest: Manifest
    rows: dict[datetime, int]
    warnings: tuple[str, ...]


@checked
def compute_training_set(
    store: OfflineStore,
    name: str,
    service: FeatureService | ServicePlan,
    spine: Any,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    run_id: str,
    engine: Engine | None = None,
    time_column: str = "time",
    allow_missing: bool = False,
    with_status: bool = False,
    availability: Availability = "promised",
    max_age: timedelta | None = None,
) -> StoredTrainingSet:
    """Join the features of a service to a spine, and store the rows by day; see ``build_training_set``.

    Args:
        store: the offline store.
        name: of the stored training set.
        service: whose features are joined; or its plan.
        spine: ``parquet_spine(...)``, ``delta_spine(...)``, a Spark frame, or what ``build_training_set`` takes. A
            Spark frame is written to files first and read from there, as its rows are in another order each time it
            is computed.
        start: start of the first day; None: the day of the first row. Days of the range without rows become empty.
        end: end of the last day; None: the end of the day of the last row.
        run_id: of the run that writes.
        engine: computes; None: the default.
        time_column: column of T.
        allow_missing: give null where nothing was computed, instead of failing.
        with_status: also add status and as-of columns.
        availability: ``promised`` or ``actual``.
        max_age: values as of longer ago than this are EXPIRED too.

    Raises:
        InputError: the spine cannot be used, has rows outside the range, or no rows and there is no range.
        NotComputedError: rows for which no partition holds a feature.
        FingerprintError: a partition was computed by another definition of a feature.
        DamagedError: rows that are read are not those that were written.
        ConflictError: another run wrote some of the days meanwhile: compute them again.
    """
    plan = service if isinstance(service, ServicePlan) else compile_plan(service)
    engine = engine or default_engine()
    shuffle = engine.shuffle
    uri, options = training_uri(store.root, name), store.storage_options
    with ExitStack() as stack:
        files = spine
        if not isinstance(spine, SpineFiles) and (shuffle is not None or hasattr(spine, "mapInArrow")):
            stage = open_stage(uri, options, f"{run_id}/spine", None, 0, 0, DAY, has_folder=True)
            files = _written(stack.enter_context(stage), options, spine, shuffle)
        if shuffle is None or files.rows == 0:
            rows = files.read_all() if isinstance(files, SpineFiles) else files
            built = build_training_set(
                store,
                plan,
                rows,
                time_column,
                allow_missing=allow_missing,
                with_status=with_status,
                availability=availability,
                max_age=max_age,
            )
            write_training_set(store, name, built, start, end, run_id=run_id)
            counts = built.frame.group_by(pl.col(time_column).dt.convert_time_zone("UTC").dt.truncate("1d")).len()
            return StoredTrainingSet(built.manifest, dict(counts.iter_rows()), built.warnings)
        asked = _Asked(
            store, name, plan, files.in_pieces(), time_column, availability, max_age, run_id, with_status=with_status
        )
        return asked.compute(shuffle, engine.parts, start, end, allow_missing=allow_missing)


@dataclass(frozen=True)
class _Asked:
    """A training set that a cluster computes; see ``compute_training_set``."""

    store: OfflineStore
    name: str
    plan: ServicePlan
    files: SpineFiles
    time_column: str
    availability: Availability
    max_age: timedelta | None
    run_id: str
    with_status: bool

    def compute(
        self, shuffle: Shuffle, buckets: int, start: datetime | None, end: datetime | None, *, allow_missing: bool
    ) -> StoredTrainingSet:
        opened = open_views(self.store, self.plan)
        expiring = expiring_after(self.plan, self.max_age)
        pieces = len(self.files.files)
        listed_views = tuple(listed(tables) for tables in opened)
        facts = shuffle.ask(pieces, Look(expiring, self.files, self.time_column, self.availability, listed_views))
        question = self._question(expiring, facts)
        times = min(each.first for each in facts), max(each.last for each in facts)
        bounds = day_bound(start, times[0], 0), day_bound(end, times[1], DAY)
        _check_inside(bounds, facts)
        chosen = [frozenset[int]().union(*(each.chosen[place] for each in facts)) for place in range(len(opened))]
        views = tuple(
            shard_view(self.store, view, tables, self.availability, of_view, times)
            for view, tables, of_view in zip(expiring.views, opened, chosen, strict=True)
        )
        if not allow_missing:
            missing = shuffle.ask(pieces, FindUncomputed(question, tuple(view.opened for view in views)))
            require_computed(expiring, missing_together(missing))
        groups = Groups.of_days([each.days for each in facts], GROUP_ROWS)
        table = PartitionedTable(training_uri(self.store.root, self.name), self.store.storage_options)
        within = to_microseconds(bounds[0]), to_microseconds(bounds[1])
        version = table.delta_version()
        with open_stage(table.uri, table.options, self.run_id, version, *within, DAY, groups.parts) as stage:
            target = Target(table.uri, table.options, stage.name, (), (self.time_column,), unique=False)
            found = _run(shuffle, ShardPlan(question, views, buckets, groups, target))
            if not allow_missing:
                require_fit(expiring, missing_together(each.unfit for each in found))
            staged = [each.staged for each in found]
            like = rows_like(staged[0]).drop("partition_start")
            manifest = self._manifest(opened, facts, like.columns)
            write = training_write(manifest, like.schema, *bounds, self.run_id)
            append_manifest(table.uri, table.options, manifest)
            table.commit_staged(stage, [*staged, *_empty_days(target, staged, write)], write)
        warnings = (*stale_views(expiring, _ages(found)), *self.plan.deprecations)
        for warning in warnings:
            _LOG.warning("training set of %s: %s", self.plan.full_name, warning)
        return StoredTrainingSet(manifest, _rows_by_day(staged), warnings)

    def _question(self, plan: ServicePlan, facts: Sequence[PieceFacts]) -> Question:
        """Return what is asked, once the columns of the spine are known to be fit for it."""
        samples = pl.concat([each.sample for each in facts])
        without_time = sum(each.without_time for each in facts)
        if without_time:
            rows = "1 spine row has" if without_time == 1 else f"{without_time} spine rows have"
            raise InputError(f"{rows} no {self.time_column!r}: drop them, or fill in their time")
        judged = [self.time_column, *plan.keys, *(declared.name for declared in plan.needed_inputs)]
        sample = sample_of(samples, judged)
        check_for_join(plan, sample, self.time_column, with_status=self.with_status)
        named = [*sample.columns, *(output.name for output in plan.outputs)]
        check_stored_names(f"training set {self.name}", named, ("partition_start", "day"))
        return Question(plan, self.files, self.time_column, self.availability, self.with_status, sample)

    def _manifest(self, opened: Sequence[Opened], facts: Sequence[PieceFacts], columns: list[str]) -> Manifest:
        days = sorted({day for each in facts for day in each.days})
        inputs = day_inputs(self.plan, opened, map(from_microseconds, days), self.availability)
        return Manifest(
            plan=self.plan,
            delta_versions=opened_versions(self.plan, opened),
            availability=self.availability,
            time_column=self.time_column,
            start=from_microseconds(min(each.first for each in facts)),
            end=from_microseconds(max(each.last for each in facts)),
            rows=self.files.rows,
            columns=columns,
            inputs={str(day): of for day, of in inputs.items()},
            created_at=datetime.now(UTC),
        )


def _written(stage: Stage, options: Any, spine: Any, shuffle: Shuffle | None) -> SpineFiles:
    """Write a spine to files of a stage."""
    if hasattr(spine, "mapInArrow"):
        if shuffle is None:
            raise InputError("the spine is a Spark frame: compute it by the engine spark, or give spine.toPandas()")
        written = shuffle.of_frame(spine, WriteSpine(stage.folder, options))
        return SpineFiles(tuple(file for files in written for file in files), options)
    return SpineFiles(tuple(WriteSpine(stage.folder, options)([read_frame(spine, "the spine")])), options)


def _run(shuffle: Shuffle, plan: ShardPlan) -> list[GroupFacts]:
    """Join all shards, put all groups together, and return their facts."""
    pieces = len(plan.question.files.files)
    readings = tuple(
        (place, table, piece)
        for place, view in enumerate(plan.views)
        for table, reading in enumerate(view.tables, start=1)
        for piece in reading.in_pieces(MOST_READS)
    )
    shards = shuffle.read(pieces + len(readings), ReadShards(plan, readings))
    joined = shuffle.move(shards, len(plan.views) * plan.buckets, JoinShard(plan))
    rows = shuffle.read(pieces, ReadGroups(plan))
    return shuffle.gather(shuffle.together(rows, joined), len(plan.groups.days), PutTogether(plan))


def _check_inside(bounds: tuple[datetime, datetime], facts: Sequence[PieceFacts]) -> None:
    first, last = map(to_microseconds, bounds)
    outside = sum(rows for each in facts for day, rows in each.days.items() if not first <= day < last)
    if outside:
        raise InputError(
            f"{outside} rows of the spine are in no day of [{bounds[0]}, {bounds[1]}): write them with the range they "
            "belong to"
        )


def _empty_days(target: Target, staged: Sequence[Staged], write: Write) -> Iterator[Staged]:
    """Stage the days without rows."""
    filled = {partition.start for each in staged for partition in each.partitions}
    like = rows_like(staged[0])
    for day in map(to_microseconds, partition_starts(write.start, write.end, DAY)):
        if day not in filled:
            yield stage_day(target, like, [day], {}, 0)


def _ages(found: Sequence[GroupFacts]) -> list[Ages]:
    return [sum(ages, start=Ages()) for ages in zip(*(each.ages for each in found), strict=True)]


def _rows_by_day(staged: Sequence[Staged]) -> dict[datetime, int]:
    rows: dict[datetime, int] = {}
    for partition in (partition for each in staged for partition in each.partitions):
        day = from_microseconds(partition.start)
        rows[day] = rows.get(day, 0) + partition.content.rows
    return rows
