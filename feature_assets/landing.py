"""Landing: rows are checked against the source that declares them, and replace what lay in their partitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from feature_assets.late_knowledge import grown, known_later
from feature_store import EventSource, TableSource
from feature_store.checks.arguments import checked
from feature_store.engines.polars.frames import has_no_values, read_frame
from feature_store.engines.polars.source_rows import declared_column, known_time
from feature_store.errors import InputError
from feature_store.offline.delta.instants import INSTANT, partition_starts
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY
from feature_store.temporal.instants import FIRST, LAST, to_microseconds

Source = EventSource | TableSource


@dataclass(frozen=True)
class Landed:
    """The outcome of a landing.

    Attributes:
        rows: by partition start, the rows that lie there now.
        without_time: rows that say no time, so that they belong to no partition: left out.
        without_known_at: rows that say a time but not the declared ``known_at``: left out.
        columns_left_out: columns that the source does not declare.
        warnings: what may mean that values knew of rows before anybody did, or did not know of them in time.
    """

    rows: Mapping[datetime, int]
    without_time: int
    without_known_at: int
    columns_left_out: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.rows.values())


def time_column(source: Source) -> str:
    """Return the column that says when a row happened, or from when it holds."""
    return source.event_time if isinstance(source, EventSource) else source.time


def known_column(source: Source) -> str | None:
    """Return the column that says when a row was known, if it is declared: the partition is that of the later time."""
    return source.known_at if isinstance(source, EventSource) else None


def partition_time(source: Source) -> pl.Expr:
    """Return the instant that says to which partition a row belongs; null: to none."""
    return known_time(source) if isinstance(source, EventSource) else pl.col(source.time)


def problems_of(source: Source, frame: pl.DataFrame) -> list[str]:
    """Return what keeps rows from being what the source declares, a line per column; empty: nothing."""
    return _declared(source, frame)[1]


@checked
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
        rows: of that span of the source's own time (where it declares ``known_at``, those that were known in that
            span), and rows that have none: a Polars frame, or what ``read_frame`` takes.
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
    time, known_at = time_column(source), known_column(source)
    typed = pl.DataFrame(columns)
    timed = typed.drop_nulls(time)
    known = timed.filter(partition_time(source).is_not_null())
    table = store.source(source.asset)
    before = table.ledger.partitions()
    table.write(known, start, end, time_column=time, known_at=known_at, run_id=run_id, cadence=cadence)
    at = (partition_time(source).to_physical() // cadence * cadence).cast(INSTANT)
    counted = dict(known.group_by(at.alias("at")).len().iter_rows())
    counts = {each: counted.get(each, 0) for each in partition_starts(start, end, cadence)}
    return Landed(
        rows=counts,
        without_time=typed.height - timed.height,
        without_known_at=timed.height - known.height,
        columns_left_out=tuple(name for name in frame.columns if name not in source.columns),
        warnings=(*grown(source, before, counts), *known_later(source, known, cadence)),
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
