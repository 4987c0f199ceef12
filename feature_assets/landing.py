"""Landing: rows are checked against the source that declares them, and replace what lay in their partitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from feature_store import EventSource, TableSource
from feature_store.engines.polars.frames import has_no_values, read_frame
from feature_store.engines.polars.source_rows import declared_column
from feature_store.errors import InputError
from feature_store.offline.delta.instants import INSTANT, partition_starts
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY
from feature_store.temporal.instants import FIRST, LAST, to_microseconds

Source = EventSource | TableSource


@dataclass(frozen=True)
class Landed:
    """What a landing wrote.

    Attributes:
        rows: by partition start, the rows that lie there now.
        without_time: rows that say no time, so that they belong to no partition: left out.
        columns_left_out: columns that the source does not declare.
    """

    rows: Mapping[datetime, int]
    without_time: int
    columns_left_out: tuple[str, ...]

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.rows.values())


def time_column(source: Source) -> str:
    """Return the column that says to which partition a row belongs."""
    return source.event_time if isinstance(source, EventSource) else source.time


def problems_of(source: Source, frame: pl.DataFrame) -> list[str]:
    """Return what keeps rows from being what the source declares, a line per column; empty: nothing."""
    return _declared(source, frame)[1]


def land(
    store: OfflineStore,
    source: Source,
    rows: Any,
    start: datetime,
    end: datetime,
    *,
    run_id: str,
    cadence: int = DAY,
) -> Landed:
    """Replace the partitions of ``[start, end)`` of a source with rows; landing the same again changes nothing.

    Args:
        store: the offline store.
        source: declares the columns; others are left out.
        rows: of that span of the source's own time, and rows that have none: a Polars frame, or what ``read_frame``
            takes.
        start: start of the first partition.
        end: end of the last.
        run_id: of the run that lands.
        cadence: span of a partition, microseconds.

    Raises:
        InputError: a column is missing, of another type, holds timestamps without a zone or a value that its type
            cannot hold; or rows lie outside.
    """
    frame = read_frame(rows, f"the rows of {source.asset}")
    columns, problems = _declared(source, frame)
    if problems:
        raise InputError(f"{source.asset}: {' '.join(problems)}")
    time = time_column(source)
    typed = pl.DataFrame(columns)
    timed = typed.drop_nulls(time)
    store.source(source.asset).write(timed, start, end, time_column=time, run_id=run_id, cadence=cadence)
    at = (pl.col(time).to_physical() // cadence * cadence).cast(INSTANT)
    counted = dict(timed.group_by(at).len().iter_rows())
    return Landed(
        rows={each: counted.get(each, 0) for each in partition_starts(start, end, cadence)},
        without_time=typed.height - timed.height,
        columns_left_out=tuple(name for name in frame.columns if name not in source.columns),
    )


def _declared(source: Source, frame: pl.DataFrame) -> tuple[list[pl.Series], list[str]]:
    """Return the declared columns in their types, and what is wrong with the others, in a line each."""
    columns: list[pl.Series] = []
    problems: list[str] = []
    for name in source.columns:
        try:
            column = declared_column(source, frame, name)
            if name == time_column(source):
                _check_calendar(source, column, frame)
            columns.append(column)
        except InputError as error:
            problems.append(str(error))
    return columns, problems


def _check_calendar(source: Source, time: pl.Series, frame: pl.DataFrame) -> None:
    """Refuse times that belong to no partition; of other columns such times are null."""
    if not frame.width or has_no_values(frame[time.name]):
        return
    inside = time.to_physical().is_between(to_microseconds(FIRST), to_microseconds(LAST))
    outside = len(time) - frame[time.name].null_count() - int(inside.sum())
    if outside:
        raise InputError(
            f"column {time.name!r} of source {source.name}: {outside} rows have a time outside the years 1 to "
            "9999. Numbers of another unit were taken for it: correct the unit where the rows are landed."
        )
