"""The tasks that join a training set: looking at the spine, moving rows to shards, joining, putting days together.

Each is a function of plain data that reads, or is given, all that it needs; it may run anywhere, and twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_store.engines.engine import Staged
from feature_store.engines.polars.chunks import Reading, bucket_of, from_bytes, split
from feature_store.engines.shuffle import Chunk, Chunks
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.join.findings import Ages, Missing, ages_of, uncomputed, unfit
from feature_store.offline.join.opened_views import Opened
from feature_store.offline.join.partition_choice import Availability, candidates_of, choose_partitions, newest_usable
from feature_store.offline.join.point_in_time import service_columns
from feature_store.offline.join.spines import Spine, spine_instants
from feature_store.offline.join.stream_choice import OpenStream
from feature_store.offline.join.view_join import join_view
from feature_store.offline.tables.stored_frames import OfflineFrames
from feature_store.offline.training.shards.plan import PIECE, ROW, CopyReading, Numbers, Question, ShardPlan
from feature_store.offline.training.shards.samples import sample_of
from feature_store.offline.training.shards.spine_files import SpineFiles
from feature_store.plans.service_plan import PlanView, ServicePlan
from feature_store.temporal.durations import DAY

_TIME = "__time"
_SPINE = 0
"""The number of the table of rows of the spine; those of a view's tables, or of what was read of views, follow."""

_NUMBERS = (PIECE, ROW)


@dataclass(frozen=True)
class PieceFacts:
    """Facts of a piece of a spine.

    Attributes:
        rows: their number.
        without_time: rows that have no T; then there are no facts about time.
        first: the smallest T, microseconds.
        last: the largest.
        days: rows by day of T (start, microseconds).
        sample: of its columns that are judged.
        chosen: per view of the plan, the places of the candidates that its rows read.
    """

    rows: int
    without_time: int
    first: int
    last: int
    days: Mapping[int, int]
    sample: pl.DataFrame
    chosen: tuple[frozenset[int], ...]


@dataclass(frozen=True)
class Look:
    """Looks at a piece of a spine.

    Attributes:
        plan: of the service.
        files: the spine, in pieces.
        time_column: column of T.
        availability: see ``Availability``.
        views: what the ledgers of the views list.
    """

    plan: ServicePlan
    files: SpineFiles
    time_column: str
    availability: Availability
    views: tuple[Opened, ...]

    def __call__(self, number: int) -> PieceFacts:
        """Return the facts of a piece.

        Raises:
            InputError: its times are of another type, naive or outside the calendar.
            FingerprintError: a partition that is read was computed by another definition of a feature.
        """
        rows = self.files.read(self.files.files[number])
        judged = [*self.plan.keys, *(declared.name for declared in self.plan.needed_inputs)]
        sample = sample_of(rows, [self.time_column, *judged])
        known = self.time_column in rows.columns
        without = rows[self.time_column].null_count() if known else 0
        if not known or without:
            return PieceFacts(rows.height, without, 0, 0, {}, sample, ())
        time = spine_instants(rows[self.time_column]).to_physical().to_numpy()
        days, counts = np.unique(time // DAY * DAY, return_counts=True)
        chosen = [self._chosen(view, opened, time) for view, opened in zip(self.plan.views, self.views, strict=True)]
        return PieceFacts(
            rows=rows.height,
            without_time=0,
            first=int(time.min()),
            last=int(time.max()),
            days=dict(zip(days.tolist(), counts.tolist(), strict=True)),
            sample=sample,
            chosen=tuple(chosen),
        )

    def _chosen(self, view: PlanView, opened: Opened, time: Numbers) -> frozenset[int]:
        if isinstance(opened, OpenStream):
            index = newest_usable(candidates_of(opened.tiles, self.availability), time)
            return frozenset(np.unique(index[index >= 0]).tolist())
        choice = choose_partitions(view, candidates_of(opened, self.availability), time)
        return frozenset(np.unique(choice.index[choice.is_read]).tolist())


@dataclass(frozen=True)
class FindUncomputed:
    """Finds rows of a piece for which no partition holds a feature.

    Attributes:
        question: what is asked.
        views: what the ledgers of the views list, at all versions that are read.
    """

    question: Question
    views: tuple[Opened, ...]

    def __call__(self, number: int) -> Missing:
        """Return what rows of a piece lack."""
        plan, availability = self.question.plan, self.question.availability
        spine, _ = self.question.checked(self.question.piece(number).drop(_NUMBERS))
        joins = [
            join_view(view, opened, spine.time, availability)
            for view, opened in zip(plan.views, self.views, strict=True)
        ]
        return uncomputed(plan, joins, spine)


@dataclass(frozen=True)
class ReadShards:
    """Reads pieces of the spine and of what views store, and cuts them into shards.

    Attributes:
        plan: of the whole.
        readings: place of a view, number of a table in its shards, and what is read of it; pieces of the spine, which
            are numbered from 0, come before.
    """

    plan: ShardPlan
    readings: tuple[tuple[int, int, Reading | CopyReading], ...]

    def __call__(self, number: int) -> Iterator[Chunk]:
        """Yield the rows of a piece by shard."""
        pieces = len(self.plan.question.files.files)
        if number < pieces:
            yield from self._spine(number)
            return
        view, table, reading = self.readings[number - pieces]
        buckets = self.plan.buckets
        found = reading.chunks(OfflineFrames(), buckets) if isinstance(reading, Reading) else reading.chunks(buckets)
        for bucket, chunk in found:
            yield view * buckets + bucket, table, chunk

    def _spine(self, number: int) -> Iterator[Chunk]:
        rows = self.plan.question.piece(number)
        spine, _ = self.plan.question.checked(rows.drop(_NUMBERS))
        for place, view in enumerate(self.plan.question.plan.views):
            keys = {key.name: spine.frame[key.column] for key in view.keys}
            columns = dict.fromkeys(key.column for key in view.keys)
            asked = rows.select(_NUMBERS).with_columns(
                pl.Series(_TIME, spine.time), *(spine.frame[column] for column in columns)
            )
            for bucket, chunk in split(asked, bucket_of(keys, self.plan.buckets)):
                yield place * self.plan.buckets + bucket, _SPINE, chunk


@dataclass(frozen=True)
class JoinShard:
    """Joins the rows of a spine with a view, within a bucket of entities.

    Attributes:
        plan: of the whole.
    """

    plan: ShardPlan

    def __call__(self, shard: int, chunks: Chunks) -> Iterator[Chunk]:
        """Yield what was read for the rows, by their group."""
        if _SPINE not in chunks:
            return
        place, question = shard // self.plan.buckets, self.plan.question
        view, stored = question.plan.views[place], self.plan.views[place]
        frames = [from_bytes(chunks[table]) for table in range(1, len(stored.readings) + 1)]
        of_stream = chunks.get(len(stored.readings) + 1)
        opened = stored.with_rows(frames, None if of_stream is None else from_bytes(of_stream))
        # Whatever order rows came in, they are joined in that of the spine.
        asked = from_bytes(chunks[_SPINE]).sort(_NUMBERS)
        time = asked[_TIME].to_numpy()
        spine = Spine(asked.drop(*_NUMBERS, _TIME), time, asked[_TIME].cast(INSTANT))
        read = join_view(view, opened, time, question.availability).read(spine)
        rows = pl.concat([asked.select(_NUMBERS), read], how="horizontal")
        groups = self.plan.groups.of(asked[PIECE].cast(pl.Int64).to_numpy(), time)
        for group, chunk in split(rows, groups):
            yield group, 1 + place, chunk


@dataclass(frozen=True)
class ReadGroups:
    """Reads pieces of the spine, and cuts them into groups.

    Attributes:
        plan: of the whole.
    """

    plan: ShardPlan

    def __call__(self, number: int) -> Iterator[Chunk]:
        """Yield the rows of a piece by group."""
        rows = self.plan.question.piece(number)
        time = spine_instants(rows[self.plan.question.time_column]).to_physical().to_numpy()
        piece = np.full(rows.height, number, np.int64)
        for group, chunk in split(rows, self.plan.groups.of(piece, time)):
            yield group, _SPINE, chunk


@dataclass(frozen=True)
class GroupFacts:
    """Facts of a group that was staged.

    Attributes:
        staged: its file.
        unfit: rows for which a sum of integers does not fit Int64.
        ages: per view, how old the values were.
    """

    staged: Staged
    unfit: Missing
    ages: Sequence[Ages]


@dataclass(frozen=True)
class PutTogether:
    """Puts what was read of all views beside the rows of a group, and stages them.

    Attributes:
        plan: of the whole.
    """

    plan: ShardPlan

    def __call__(self, group: int, chunks: Chunks) -> GroupFacts:
        """Stage a group, and return its facts."""
        question = self.plan.question
        plan = question.plan
        rows = from_bytes(chunks[_SPINE]).sort(_NUMBERS)
        reads = [self._of_rows(rows, from_bytes(chunks[1 + place], how="diagonal")) for place in range(len(plan.views))]
        frame = rows.drop(_NUMBERS)
        spine, inputs = question.checked(frame)
        joins = [
            join_view(view, stored.opened, spine.time, question.availability)
            for view, stored in zip(plan.views, self.plan.views, strict=True)
        ]
        columns = service_columns(plan, joins, reads, spine, inputs, with_status=question.with_status)
        staged = self.plan.stage(frame.with_columns(columns), group)
        return GroupFacts(staged, unfit(plan, reads, spine), ages_of(plan, joins, spine))

    def _of_rows(self, rows: pl.DataFrame, read: pl.DataFrame) -> pl.DataFrame:
        found = read.sort(_NUMBERS)
        assert found.select(_NUMBERS).equals(rows.select(_NUMBERS)), "rows were lost or multiplied between tasks"
        return found.drop(_NUMBERS)
