"""Stored partitions in memory, read forward: what the next as-ofs need again is kept, what none needs is dropped."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from feature_store.engines.engine import StoredRows
from feature_store.temporal.instants import from_microseconds

Scan = Callable[[StoredRows], pl.LazyFrame]
"""Gives the rows of stored partitions, with ``partition_start``."""


class PartitionBuffer:
    """Partitions of a table.

    Args:
        stored: all that may be asked for.
        scan: reads them.
    """

    def __init__(self, stored: StoredRows, scan: Scan) -> None:
        self.stored = stored
        self._scan = scan
        self._held: pl.DataFrame | None = None
        self._start = self._end = 0

    def rows(self, start: int, end: int) -> pl.DataFrame:
        """Return the rows of the partitions that begin in ``[start, end)``; microseconds."""
        held = self._held
        if held is None or not self._start <= start <= self._end or end < self._end:
            held = self._read(start, end)
        else:
            kept = held.filter(pl.col("partition_start") >= from_microseconds(start))
            held = pl.concat([kept, self._read(self._end, end)]) if end > self._end else kept
        self._held, self._start, self._end = held, start, end
        return held

    def _read(self, start: int, end: int) -> pl.DataFrame:
        return self._scan(self.stored.beginning_in(start, end)).collect()
