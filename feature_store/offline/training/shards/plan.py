"""The plan of a training set that is joined shard by shard, made by the driver; plain data, can be pickled.

A shard is a bucket of entities of one view: of its values, and of the rows of the spine that ask for them. A group is
the rows of one day, or some of them where a day has many: they become one file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from feature_store.engines.engine import Staged, Target
from feature_store.engines.polars.chunks import Reading, bucket_of, split
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.delta.staged_files import stage_day
from feature_store.offline.join.opened_views import Opened
from feature_store.offline.join.partition_choice import Availability
from feature_store.offline.join.point_in_time import check_for_join
from feature_store.offline.join.shard_tables import Rows, ShardCopy, ShardTable
from feature_store.offline.join.spines import Spine
from feature_store.offline.join.stream_choice import OpenStream
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.shards.spine_files import SpineFiles
from feature_store.plans.service_plan import ServicePlan
from feature_store.temporal.durations import DAY
from feature_store.temporal.instants import from_microseconds, to_microseconds

Numbers = npt.NDArray[np.int64]

PIECE: Final = "__piece"
ROW: Final = "__row"
"""With ``PIECE``, a column that numbers the rows of the spine: those of a piece."""


@dataclass(frozen=True)
class Question:
    """A spine and what is asked of it.

    Attributes:
        plan: of the service.
        files: the spine, in pieces.
        time_column: column of T.
        availability: see ``Availability``.
        with_status: also add status and as-of columns.
        sample: of the spine; see ``samples``.
    """

    plan: ServicePlan
    files: SpineFiles
    time_column: str
    availability: Availability
    with_status: bool
    sample: pl.DataFrame

    @property
    def judged(self) -> list[str]:
        """The columns of the spine that are keys or inputs."""
        return [*self.plan.keys, *(declared.name for declared in self.plan.needed_inputs)]

    def checked(self, rows: pl.DataFrame) -> tuple[Spine, list[pl.Series]]:
        """Return some rows of the spine as they would be checked among all, and their inputs.

        Raises:
            InputError: the spine cannot be used.
        """
        together = pl.concat([self.sample, rows])
        spine, inputs = check_for_join(self.plan, together, self.time_column, with_status=self.with_status)
        own = np.arange(self.sample.height, together.height)
        return spine.take(own), [column[self.sample.height :] for column in inputs]

    def piece(self, number: int) -> pl.DataFrame:
        """Return the rows of a piece, with their numbers."""
        rows = self.files.read(self.files.files[number]).with_row_index(ROW)
        return rows.select(pl.lit(number, pl.UInt32).alias(PIECE), pl.all())


@dataclass(frozen=True)
class CopyReading:
    """Tiles of what a stream wrote.

    Attributes:
        store: whose copy it is.
        view: full name.
        version: of the copy.
        writes: that are read.
        keys: of the entity.
        start: tiles that start from here, ...
        end: ... up to here (exclusive).
    """

    store: OfflineStore
    view: str
    version: int | None
    writes: pl.DataFrame
    keys: tuple[str, ...]
    start: datetime
    end: datetime

    def in_pieces(self, most: int) -> Iterator[CopyReading]:
        """Yield it in at most so many pieces of whole days."""
        first, last = to_microseconds(self.start), to_microseconds(self.end)
        step = (-(-last // DAY) - first // DAY + most - 1) // most * DAY
        for day in range(first // DAY * DAY, last, max(step, DAY)):
            bounds = max(first, day), min(last, day + step)
            yield replace(self, start=from_microseconds(bounds[0]), end=from_microseconds(bounds[1]))

    def chunks(self, buckets: int) -> Iterator[tuple[int, bytes]]:
        """Read it, and yield the rows of each bucket."""
        copy = self.store.stream_copy(self.view).open().at(self.version)
        scan = copy.scan(self.writes, list(self.keys), self.start, self.end)
        if scan is not None:
            frame = scan.collect()
            yield from split(frame, bucket_of({name: frame[name] for name in self.keys}, buckets))


@dataclass(frozen=True)
class ShardView:
    """A view as tasks join it.

    Attributes:
        opened: what its ledgers list.
        readings: by version of its table (of a stream view, of its tiles), the rows that are read.
        copy: of a stream view, what is read of the stream's copy; None: nothing.
    """

    opened: Opened
    readings: Mapping[int | None, Reading]
    copy: CopyReading | None = None

    @property
    def tables(self) -> list[Reading | CopyReading]:
        """All that is read, in the order in which it is numbered."""
        return [*self.readings.values(), *([] if self.copy is None else [self.copy])]

    def with_rows(self, frames: Sequence[pl.DataFrame], of_stream: pl.DataFrame | None) -> Opened:
        """Return the tables of the view with the rows of one shard.

        Args:
            frames: of each of ``readings``.
            of_stream: of ``copy``; None: there are none.
        """
        rows = {
            version: Rows(frame, frozenset(from_microseconds(start) for start, _ in reading.rows.partitions))
            for (version, reading), frame in zip(self.readings.items(), frames, strict=True)
        }
        if not isinstance(self.opened, OpenStream):
            assert isinstance(self.opened, ShardTable)
            return replace(self.opened, rows=rows)
        tiles, copy = self.opened.tiles, self.opened.copy
        assert isinstance(tiles, ShardTable)
        assert isinstance(copy, ShardCopy)
        return OpenStream(replace(tiles, rows=rows), replace(copy, rows=of_stream))


@dataclass(frozen=True)
class Groups:
    """The groups that rows are put together in.

    Attributes:
        days: of each group the start of its day, microseconds, and its number among those of the day.
        first_pieces: by day, the first piece of each of its groups, ascending.
    """

    days: tuple[tuple[int, int], ...]
    first_pieces: Mapping[int, tuple[int, ...]]

    @staticmethod
    def of_days(rows: Sequence[Mapping[int, int]], most: int) -> Groups:
        """Return groups of about so many rows at most.

        Args:
            rows: of each piece, how many rows lie on which day.
            most: rows of a group, unless a piece alone has more on a day.
        """
        first_pieces: dict[int, list[int]] = {}
        filled: dict[int, int] = {}
        for piece, of_piece in enumerate(rows):
            for day, count in of_piece.items():
                if day not in filled or filled[day] + count > most:
                    first_pieces.setdefault(day, []).append(piece)
                    filled[day] = 0
                filled[day] += count
        days = tuple((day, part) for day in sorted(first_pieces) for part in range(len(first_pieces[day])))
        return Groups(days, {day: tuple(pieces) for day, pieces in first_pieces.items()})

    @property
    def parts(self) -> int:
        """The number of groups of the day with the most of them."""
        return max(part for _, part in self.days) + 1

    def of(self, piece: Numbers, time: Numbers) -> pl.Series:
        """Return the group of each row, UInt64.

        Args:
            piece: that it is of.
            time: T, microseconds.
        """
        groups = {of: number for number, of in enumerate(self.days)}
        days, place = np.unique(time // DAY * DAY, return_inverse=True)
        found = np.zeros(len(time), np.uint64)
        for number, day in enumerate(days.tolist()):
            inside = place == number
            part = np.searchsorted(self.first_pieces[day], piece[inside], side="right") - 1
            found[inside] = groups[day, 0] + part
        return pl.Series("group", found)


@dataclass(frozen=True)
class ShardPlan:
    """All that tasks need to know.

    Attributes:
        question: what is asked.
        views: of the service's plan, in its order.
        buckets: into which the entities of each view are divided.
        groups: in which rows are put together.
        target: the training set.
    """

    question: Question
    views: tuple[ShardView, ...]
    buckets: int
    groups: Groups
    target: Target

    def stage(self, rows: pl.DataFrame, group: int) -> Staged:
        """Write the rows of a group to a staged file."""
        day, part = self.groups.days[group]
        within = rows.with_columns(pl.lit(from_microseconds(day), INSTANT).alias("partition_start"))
        return stage_day(replace(self.target, part=part), within, [day], {}, 0)
