"""Landing: rows are checked against the source that declares them, and replace what lay in their partitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from feature_store import EventSource, TableSource
from feature_store.engines.polars.source_rows import read_rows
from feature_store.errors import InputError
from feature_store.offline.delta.instants import INSTANT, partition_starts
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY

Source = EventSource | TableSource

_EXAMPLES: Final = "a Polars frame (lazy or not), a pandas frame or an Arrow table"


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


def read_frame(source: Source, rows: Any) -> pl.DataFrame:
    """Return rows as a Polars frame, whatever made them.

    Raises:
        InputError: they are none.
    """
    if isinstance(rows, pl.LazyFrame):
        return rows.collect()
    if isinstance(rows, pl.DataFrame):
        return rows
    if hasattr(rows, "__arrow_c_stream__"):
        return pl.DataFrame(rows)
    raise InputError(
        f"{source.asset}: its function returned {type(rows).__name__}: return the rows as {_EXAMPLES}, "
        "an empty one if there are none"
    )


def problems_of(source: Source, frame: pl.DataFrame) -> list[str]:
    """Return what keeps rows from being what the source declares, a line per column; empty: nothing."""
    found: list[str] = []
    for name in source.columns:
        try:
            read_rows(source, frame.lazy(), [name])
        except InputError as error:
            found.append(str(error))
    return found


def land(
    store: OfflineStore,
    source: Source,
    frame: pl.DataFrame,
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
        frame: rows of that span of the source's own time, and rows that have none.
        start: start of the first partition.
        end: end of the last.
        run_id: of the run that lands.
        cadence: span of a partition, microseconds.

    Raises:
        InputError: a column is missing, of another type, or holds timestamps without a zone; or rows lie outside.
    """
    problems = problems_of(source, frame)
    if problems:
        raise InputError(f"{source.asset}: {' '.join(problems)}")
    time = time_column(source)
    typed = _typed(source, frame)
    timed = typed.drop_nulls(time)
    store.source(source.asset).write(timed, start, end, time_column=time, run_id=run_id, cadence=cadence)
    at = (pl.col(time).to_physical() // cadence * cadence).cast(INSTANT)
    counted = dict(timed.group_by(at).len().iter_rows())
    return Landed(
        rows={each: counted.get(each, 0) for each in partition_starts(start, end, cadence)},
        without_time=typed.height - timed.height,
        columns_left_out=tuple(name for name in frame.columns if name not in source.columns),
    )


def _typed(source: Source, frame: pl.DataFrame) -> pl.DataFrame:
    try:
        return read_rows(source, frame.lazy(), source.columns).collect(engine="in-memory")
    except pl.exceptions.InvalidOperationError as error:  # a number that its declared type cannot hold
        raise InputError(f"{source.asset}: {str(error).splitlines()[0]}") from error
