"""A table of a branch: its own partitions, and those of production that it reads beside them, as one table.

The partitions of production are listed as if they had landed before the first commit of the branch (as ``SHARED``), so
whatever the branch writes takes their place, and what it publishes of them is in its own ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any, Final

import polars as pl

from feature_store.errors import DamagedError, DamagedRecordError, VersionExpiredError
from feature_store.offline.delta.commits import StorageOptions, open_table
from feature_store.offline.ledger.ledger import Ledger
from feature_store.offline.ledger.ledger_entries import LANDED, SCHEMA, UNCHANGED
from feature_store.offline.tables.open_table import OpenTable, open_for_reading

SHARED: Final = -1
"""The ``delta_version`` of partitions of production, as the table of a branch lists them."""

_IS_SHARED: Final = pl.col("delta_version") == SHARED


@dataclass(frozen=True)
class PastTable(OpenTable):
    """A table as it was at an instant, for reading alone: damage that is met is raised, and written down nowhere.

    Attributes:
        reader: who reads it, for messages.
    """

    reader: str

    def _note(self, damage: DamagedError) -> None:
        now = open_table(self.uri, self.options)
        listed = [] if now is None else pl.DataFrame(now.get_add_actions(flatten=True))["path"].to_list()
        if damage.file is not None and damage.file not in listed:
            raise _expired(self.reader, f"{self.uri}: {damage.file} was replaced since and deleted") from damage


@dataclass(frozen=True)
class OverlaidTable(OpenTable):
    """A table of a branch, as it was when it was opened; its entries list what it shares, too.

    Attributes:
        own: what the branch has written.
        shared: what it reads of production.
    """

    own: OpenTable
    shared: OpenTable

    @property
    def version(self) -> int | None:
        """Version of the branch's own rows; ``SHARED`` if it wrote none yet."""
        return SHARED if self.own.version is None else self.own.version

    @property
    def columns(self) -> pl.Schema:
        """Its columns without ``day``, and their types; those of production come first."""
        return pl.Schema(self.shared.columns | self.own.columns)

    def pieces(
        self, partitions: pl.DataFrame, columns: Sequence[str], rows_at_once: int | None = None
    ) -> Iterator[pl.DataFrame]:
        """Read some of its partitions whole, piece by piece; see ``OpenTable.pieces``."""
        for table, of_it in self._parts(partitions):
            yield from table.pieces(of_it, columns, rows_at_once)

    def scan(self, partitions: pl.DataFrame) -> pl.LazyFrame:
        """Read some of its partitions whole, lazily; see ``OpenTable.scan``."""
        return self._together([table.scan(of_it) for table, of_it in self._parts(partitions)])

    def scan_some(self, partitions: pl.DataFrame) -> pl.LazyFrame:
        """Read few rows of some of its partitions, lazily; see ``OpenTable.scan_some``."""
        return self._together([table.scan_some(of_it) for table, of_it in self._parts(partitions)])

    def to_arrow(self, partitions: pl.DataFrame) -> Any:
        """Return the files of the days of some partitions as a pyarrow Dataset; see ``OpenTable.to_arrow``."""
        datasets = [table.to_arrow(of_it) for table, of_it in self._parts(partitions)]
        return import_module("pyarrow.dataset").dataset(datasets)

    def with_arrays(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return rows that were scanned with arrays as arrays."""
        return self.own.with_arrays(self.shared.with_arrays(rows))

    def at(self, version: int | None) -> OpenTable:
        """Return it with the branch's own rows as they were at an earlier version."""
        own = self.own.at(None if version == SHARED else version)
        return self if own is self.own else overlaid(own, self.shared)

    def _parts(self, partitions: pl.DataFrame) -> Iterator[tuple[OpenTable, pl.DataFrame]]:
        for table, of_it in ((self.shared, partitions.filter(_IS_SHARED)), (self.own, partitions.filter(~_IS_SHARED))):
            if of_it.height:
                yield table, of_it

    def _together(self, scans: list[pl.LazyFrame]) -> pl.LazyFrame:
        return pl.concat([pl.LazyFrame(schema=self.columns), *scans], how="diagonal")


Shared = Callable[[], OpenTable | None]
"""Returns what a table of a branch reads of production now; None: nothing."""


def overlaid(own: OpenTable, shared: OpenTable | None) -> OpenTable:
    """Return what a branch wrote to a table over what it reads of production."""
    if shared is None or shared.partitions.is_empty():
        return own
    landed = {"kind": pl.lit(LANDED), "delta_version": pl.lit(SHARED, pl.Int64)}
    unknown = [pl.lit(None, SCHEMA[name]).alias(name) for name in ("published_at", "generation", "files", "problem")]
    listed = shared.partitions.with_columns(*unknown, **landed).select(SCHEMA.names())
    return OverlaidTable(own.uri, own.options, own.table, pl.concat([listed, own.entries]), own, shared)


class OverlaidLedger(Ledger):
    """The ledger of a table of a branch: it lists what the branch wrote and published, and tells what it shares, too.

    Args:
        table_uri: where the branch writes.
        options: storage options.
        shared: what is read of production.
    """

    def __init__(self, table_uri: str, options: StorageOptions, shared: Shared) -> None:
        super().__init__(table_uri, options)
        self._shared = shared

    def partitions(self) -> pl.DataFrame:
        """Return the current state, of what is shared, too: one row per partition; see ``current_state``."""
        return overlaid(open_for_reading(self._table_uri, self._options, self), self._shared()).partitions


def open_past(uri: str, options: StorageOptions, instant: datetime, reader: str) -> PastTable | None:
    """Return a table as it was just before an instant; None: nothing had been written.

    Raises:
        VersionExpiredError: its rows of then are not kept any more.
    """
    now = open_for_reading(uri, options, Ledger(uri, options))
    commits = now.entries.filter(pl.col("kind").is_in([LANDED, UNCHANGED]), pl.col("landed_at") < instant)
    version = commits.select(pl.col("delta_version").max()).item() if commits.height else None
    return None if version is None else open_version(now, version, reader)


def open_version(now: OpenTable, version: int, reader: str) -> PastTable:
    """Return a table as it was at a version, for reading alone.

    Raises:
        VersionExpiredError: its rows of then are not kept any more.
    """
    try:
        past = now.at(version)
    except (VersionExpiredError, DamagedRecordError) as problem:
        raise _expired(reader, f"{now.uri}: version {version} cannot be read ({problem})") from problem
    return PastTable(past.uri, past.options, past.table, past.entries, reader)


def _expired(reader: str, problem: str) -> VersionExpiredError:
    return VersionExpiredError(
        f"{reader} reads production as it was when it began, but {problem}: drop it and begin anew"
    )
