"""The offline store as an engine on frames sees it: stored partitions to read, a place to stage rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from feature_store.engines.engine import Staged, StoredRows, Target
from feature_store.offline.delta.instants import instants
from feature_store.offline.delta.staged_files import stage_day
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.overlaid_table import SHARED, open_version, overlaid
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.temporal.instants import from_microseconds


class OfflineFrames:
    """Reads and stages by plain data alone, so it works in any process; see ``StoredFrames``.

    A version of a table is opened once; of the copy in another process, once there.
    """

    def __init__(self) -> None:
        self._opened: dict[tuple[str, int | None], OpenTable] = {}

    def __reduce__(self) -> tuple[type[OfflineFrames], tuple[()]]:
        return OfflineFrames, ()

    def scan(self, rows: StoredRows) -> pl.LazyFrame:
        """Read stored partitions, lazily; in no particular order, with ``partition_start``, arrays as lists."""
        at = (rows.uri, rows.version)
        if at not in self._opened:
            self._opened[at] = _open(rows)
        opened = self._opened[at]
        starts = instants([from_microseconds(start) for start, _ in rows.partitions])
        return opened.scan(opened.partitions.filter(pl.col("partition_start").is_in(starts.implode())))

    def stage(
        self, target: Target, frame: pl.DataFrame, starts: Sequence[int], excluded: Mapping[int, int], without_time: int
    ) -> Staged:
        """Write the rows of the partitions of one day to a staged file, and describe them."""
        return stage_day(target, frame, starts, excluded, without_time)


def _open(rows: StoredRows) -> OpenTable:
    own = PartitionedTable(rows.uri, rows.options).open().at(None if rows.version == SHARED else rows.version)
    if rows.shared is None:
        return own
    uri, version = rows.shared
    return overlaid(own, open_version(PartitionedTable(uri, rows.options).open(), version, f"the branch of {rows.uri}"))
