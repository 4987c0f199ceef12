"""Upkeep of a table in partitions: small files of a day are merged, what was replaced long ago is deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import polars as pl
from deltalake import DeltaTable

from feature_store.errors import DamagedError
from feature_store.offline.delta.commits import drop_replaced, overwrite_range
from feature_store.offline.delta.faults import LostCommitError
from feature_store.offline.delta.storage_types import stored_shapes
from feature_store.offline.delta.stored_files import files_of

_SMALL: Final = 32 * 2**20
"""Days with more bytes than that have files that are large enough, and would take much memory."""


def keep_up(table: DeltaTable, order: Sequence[str], read_day: Callable[[date], pl.DataFrame]) -> None:
    """Write each day that consists of small files as one, and delete what was replaced ``RETENTION`` ago.

    A damaged day stays as it is: written anew, it would look healthy.

    ``DeltaTable.optimize`` would not do: when two processes call it at once, both merge the same files, and every row
    is there twice. Of overwrites that cross one fails.

    Args:
        table: at its newest version; its ledger lists all its commits.
        order: columns by which the rows of a partition are sorted.
        read_day: returns the rows of a day, once they are known to be those that were written.
    """
    for day in _days_of_small_files(table):
        with suppress(LostCommitError, DamagedError):  # another process writes there just now; or nobody should
            rows = read_day(day).sort("partition_start", *order).with_columns(day=pl.col("partition_start").dt.date())
            start = datetime.combine(day, time(), UTC)
            overwrite_range(table, rows, stored_shapes(table), start, start + timedelta(days=1), {})
    drop_replaced(table)


def _days_of_small_files(table: DeltaTable) -> list[date]:
    days = files_of(table).group_by("day").agg(pl.len(), pl.col("size").sum())
    return days.filter(pl.col("len") > 1, pl.col("size") < _SMALL)["day"].sort().to_list()
