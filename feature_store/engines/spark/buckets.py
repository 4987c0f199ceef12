"""The rows of one bucket as the Polars engine reads them: from memory, instead of from the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from feature_store.engines.engine import Staged, StoredRows, Target
from feature_store.engines.polars.engine import StoredFrames
from feature_store.temporal.instants import from_microseconds

Table = tuple[str, int | None]
"""Where a table lies, and its version."""


@dataclass(frozen=True)
class BucketFrames:
    """The rows of one bucket, in memory; see ``StoredFrames``.

    Attributes:
        tables: rows by table, with ``partition_start``.
        stored: stages what was computed.
    """

    tables: Mapping[Table, pl.DataFrame]
    stored: StoredFrames

    def scan(self, rows: StoredRows) -> pl.LazyFrame:
        """Return the bucket's rows of stored partitions."""
        starts = pl.Series([from_microseconds(start) for start, _ in rows.partitions], dtype=pl.Datetime("us", "UTC"))
        frame = self.tables[rows.uri, rows.version]
        return frame.lazy().filter(pl.col("partition_start").is_in(starts.implode()))

    def stage(
        self, target: Target, frame: pl.DataFrame, starts: Sequence[int], excluded: Mapping[int, int], without_time: int
    ) -> Staged:
        """Write the bucket's rows of the partitions of one day to a staged file, and describe them."""
        return self.stored.stage(target, frame, starts, excluded, without_time)
