"""Tables of views as a task sees them: what their ledgers list, as the driver read it, and the rows of one shard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Final

import polars as pl

from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.stream_copy import OpenStreamCopy

_LISTED: Final = ["partition_start", "as_of", "available_at", "published_at", "content_hash", "fingerprints"]
"""What a join reads of the ledger, beside the version."""


@dataclass(frozen=True)
class Rows:
    """The rows of some partitions of a table at one version; those of one shard.

    Attributes:
        frame: with ``partition_start``.
        starts: of the partitions.
    """

    frame: pl.DataFrame
    starts: frozenset[datetime]


@dataclass(frozen=True)
class ShardTable(OpenTable):
    """A table without its rows, or with those of one shard; can be pickled.

    Attributes:
        number: its version.
        versions: what the ledger lists, at this version and at others that are read.
        published: see ``OpenTable.publications``.
        rows: by version.
    """

    number: int | None
    versions: Mapping[int | None, pl.DataFrame]
    published: pl.DataFrame
    rows: Mapping[int | None, Rows]

    @property
    def version(self) -> int | None:
        """Version of the rows; None if the table was never written."""
        return self.number

    @cached_property
    def partitions(self) -> pl.DataFrame:
        """The partitions that it holds."""
        return self.versions[self.number]

    @cached_property
    def publications(self) -> pl.DataFrame:
        """The publications of it."""
        return self.published

    def at(self, version: int | None) -> ShardTable:
        """Return the table as it was at one of its versions."""
        return replace(self, number=version)

    def scan(self, partitions: pl.DataFrame) -> pl.LazyFrame:
        """Return the shard's rows of some partitions, all of which were moved."""
        rows, starts = self.rows[self.number], partitions["partition_start"]
        assert rows.starts.issuperset(starts), f"{self.uri}: partitions are read that were not moved"
        return rows.frame.lazy().filter(pl.col("partition_start").is_in(starts.unique().implode()))

    def scan_some(self, partitions: pl.DataFrame) -> pl.LazyFrame:
        """Return the shard's rows of some partitions."""
        return self.scan(partitions)


def without_rows(opened: OpenTable, versions: Iterable[int | None] = ()) -> ShardTable:
    """Return what the ledger of a table lists, at the version at which it is open and at others.

    Raises:
        VersionExpiredError: one of them is no longer kept.
    """
    wanted = dict.fromkeys([opened.version, *versions])
    listed = {version: opened.at(version).partitions.select(*_LISTED, "delta_version") for version in wanted}
    published = opened.publications.select(*_LISTED, "delta_version")
    return ShardTable(opened.uri, {}, None, opened.entries.clear(), opened.version, listed, published, {})


@dataclass(frozen=True)
class ShardCopy(OpenStreamCopy):
    """The copy of what a stream wrote, of which the rows of one shard are in memory; can be pickled.

    Attributes:
        rows: tiles of the writes that are read, as ``OpenStreamCopy.scan`` gives them; None: nothing is read.
        start: of the span of which they are; inclusive.
        end: exclusive.
    """

    rows: pl.DataFrame | None
    start: datetime
    end: datetime

    def scan(
        self,
        writes: pl.DataFrame,
        keys: Sequence[str],  # noqa: ARG002 - tiles came together by them when they were moved
        start: datetime,
        end: datetime,
    ) -> pl.LazyFrame | None:
        """Return the shard's tiles that start in ``[start, end)``."""
        if self.rows is None or writes.is_empty():
            return None
        assert self.start <= start <= end <= self.end, f"{self.uri}: tiles are read that were not moved"
        return self.rows.lazy().filter(pl.col("tile_start") >= start, pl.col("tile_start") < end)


def copy_without_rows(copy: OpenStreamCopy, start: datetime, end: datetime) -> ShardCopy:
    """Return what the ledger of a stream's copy lists."""
    return ShardCopy(None, copy.writes, copy.version, copy.uri, {}, copy.entries.clear(), None, start, end)
