"""The table of a source: its raw rows, in partitions of their own time, or of the time at which they are known."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

import polars as pl

from feature_store.engines.polars.source_rows import later_of
from feature_store.errors import FingerprintError, InputError
from feature_store.model.sources import EventSource, Source
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.delta.storage_types import check_stored_names
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.write import Write
from feature_store.temporal.durations import DAY

_NARROW: Final = [pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32]
_OWN: Final = ("partition_start", "day")
_KNOWN_AT: Final = "__known_at"
"""Under this name the ledger of a source lists by which column its rows are known later; no column is called so."""


class SourceTable(PartitionedTable):
    """The raw rows of a source, in partitions of their own time, or of the time at which they are known."""

    def write(
        self,
        frame: pl.DataFrame,
        start: datetime,
        end: datetime,
        *,
        time_column: str,
        run_id: str,
        cadence: int = DAY,
        known_at: str | None = None,
    ) -> int:
        """Replace the rows of ``[start, end)``; return their number.

        Args:
            frame: the source's columns; integers are stored as Int64, so that they may become wider. Rows without a
                time (or ``known_at``) have no partition: they are left out, and counted with the first one of the range
                (``excluded`` in the ledger).
            start: start of the first partition.
            end: end of the last.
            time_column: the Timestamp column that says to which partition a row belongs.
            run_id: of the run that writes.
            cadence: span of a partition, microseconds.
            known_at: as the source declares it: the partition of a row is that of the later of the two times.

        Raises:
            InputError: rows outside the range, times without a zone, a column called like one of the store's own, or
                of a type that Delta does not know.
            FingerprintError: a column changed its type, other than from one type of integers to another.
        """
        check_stored_names(self.uri, frame.columns, _OWN)
        for name in (time_column, *([] if known_at is None else [known_at])):
            time = frame.schema[name]
            if not isinstance(time, pl.Datetime) or time.time_zone is None:
                raise InputError(f"{self.uri}: {name} has type {time}: give it a zone, pl.Datetime('us', 'UTC')")
        known = later_of(
            pl.col(time_column).cast(INSTANT), None if known_at is None else pl.col(known_at).cast(INSTANT)
        )
        timed = frame.filter(known.is_not_null())
        partition = (known.cast(pl.Int64) // cadence * cadence).cast(INSTANT).alias("partition_start")
        rows = timed.with_columns(partition, pl.col(_NARROW).cast(pl.Int64))
        without_time = {start: frame.height - timed.height}
        order = [time_column, *sorted(set(frame.columns) - {time_column})]
        write = Write(
            start=start,
            end=end,
            cadence=cadence,
            run_id=run_id,
            order=order,
            key=[time_column],
            unique=False,
            fingerprints=_layout(known_at),
            excluded=without_time,
        )
        return self.write_range(rows, write)


def check_layout(source: EventSource, partitions: pl.DataFrame) -> None:
    """Refuse landed partitions that hold the rows of other times than a source says: another ``known_at``, or none.

    Args:
        source: of which the rows are read.
        partitions: of the ledger of its rows.

    Raises:
        FingerprintError: some were landed by a source that declared another ``known_at``.
    """
    others = landed_by_other_times(source, partitions)
    if others.height:
        landed = json.loads(others["fingerprints"][0]).get(_KNOWN_AT)
        raise FingerprintError(
            f"{source.asset}: {others.height} of its partitions, the first from {others['partition_start'][0]}, were "
            f"landed with known_at={landed!r}, but source {source.name} declares known_at={source.known_at!r}, by "
            "which its rows belong to other partitions: land all of them again"
        )


def landed_by_other_times(source: Source, partitions: pl.DataFrame) -> pl.DataFrame:
    """Return those partitions of the ledger of a source that were landed with another ``known_at`` than it declares."""
    known_at = source.known_at if isinstance(source, EventSource) else None
    return partitions.filter(pl.col("fingerprints") != json.dumps(_layout(known_at)))


def _layout(known_at: str | None) -> dict[str, str]:
    """Return what the ledger says of how rows of a source are laid out."""
    return {} if known_at is None else {_KNOWN_AT: known_at}
