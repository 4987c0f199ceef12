"""One consistent look at a table: a version of its rows and what the ledger says of the commits up to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import cached_property
from importlib import import_module
from typing import Any

import polars as pl
from deltalake import DeltaTable

from feature_store.errors import (
    ConflictError,
    DamagedError,
    InputError,
    NotComputedError,
    StorageError,
    VersionExpiredError,
)
from feature_store.offline.delta.commits import RETENTION, StorageOptions, open_table
from feature_store.offline.delta.s3_log import beside_mirror
from feature_store.offline.delta.storage_types import as_arrays, stored_shapes
from feature_store.offline.ledger.ledger import Ledger
from feature_store.offline.ledger.ledger_entries import (
    current_state,
    damaged_days,
    damaged_generations,
    publications,
)
from feature_store.offline.tables.verified_reads import StoredPartitions
from feature_store.temporal.instants import to_microseconds


@dataclass(frozen=True)
class OpenTable:
    """A table as it was when it was opened, whatever is written meanwhile.

    Attributes:
        uri: where it lies.
        options: storage options.
        table: its rows at one version; None if it was never written.
        entries: the entries of its ledger up to that version.
    """

    uri: str
    options: StorageOptions
    table: DeltaTable | None
    entries: pl.DataFrame

    @property
    def version(self) -> int | None:
        """Version of the rows; None if the table was never written."""
        return None if self.table is None else self.table.version()

    @property
    def columns(self) -> pl.Schema:
        """Its columns without ``day``, and their types; none if it was never written."""
        stored = pl.Schema() if self.table is None else pl.Schema(self.table.schema())
        return pl.Schema({name: dtype for name, dtype in stored.items() if name != "day"})

    @cached_property
    def partitions(self) -> pl.DataFrame:
        """The partitions that it holds; see ``current_state``."""
        return current_state(self.entries)

    @cached_property
    def publications(self) -> pl.DataFrame:
        """The publications of it; see ``ledger_entries.publications``."""
        return publications(self.entries)

    def between(self, start: datetime | None, end: datetime | None) -> pl.DataFrame:
        """Return the landed partitions that begin in ``[start, end)``; None: no bound.

        Raises:
            InputError: a bound without a time zone.
        """
        at = pl.col("partition_start").to_physical()
        after = pl.lit(value=True) if start is None else at >= to_microseconds(start)
        before = pl.lit(value=True) if end is None else at < to_microseconds(end)
        return self.partitions.filter(after & before)

    def scan(self, partitions: pl.DataFrame) -> pl.LazyFrame:
        """Read some of its partitions whole, lazily: their files are compared now, their rows when they are collected.

        Args:
            partitions: rows of ``self.partitions``.

        Returns:
            The stored columns without ``day``, arrays as lists; rows in no particular order. Collecting them raises
            ``DamagedError`` where they are not those that were written; if only the first ones are, they count as
            ``scan_some``.

        Raises:
            NotComputedError: the table was never written.
            DamagedError: a file is not as it was written.
        """
        return self._scan(partitions, StoredPartitions.scan)

    def scan_some(self, partitions: pl.DataFrame) -> pl.LazyFrame:
        """Read few rows of some of its partitions, lazily: files are compared, but not all rows are read; see ``scan``.

        Filters decide which parts of the files are read.
        """
        return self._scan(partitions, StoredPartitions.scan_some)

    def _scan(
        self, partitions: pl.DataFrame, scan: Callable[[StoredPartitions, pl.DataFrame], pl.LazyFrame]
    ) -> pl.LazyFrame:
        if self.table is None:
            raise self._never_written()
        return scan(self._rows, partitions)

    def read(self, partitions: pl.DataFrame, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Read some of its partitions whole, and compare them with the ledger.

        Args:
            partitions: rows of ``self.partitions``.
            columns: those that are read; those that the table does not have are left out. None: all but ``day``.

        Returns:
            The columns, arrays as lists; rows in no particular order.

        Raises:
            NotComputedError: the table was never written.
            DamagedError: the rows are not those that were written.
        """
        schema = self.columns
        if not schema:
            raise self._never_written()
        names = schema.names() if columns is None else columns
        none = pl.DataFrame(schema={name: schema[name] for name in names if name in schema})
        return pl.concat([none, *self.pieces(partitions, names)])

    def pieces(
        self, partitions: pl.DataFrame, columns: Sequence[str], rows_at_once: int | None = None
    ) -> Iterator[pl.DataFrame]:
        """Read some of its partitions whole, piece by piece; what was read may be used once the last piece came.

        Args:
            partitions: rows of ``self.partitions``.
            columns: those that are read.
            rows_at_once: so many at most are in a piece; None: a file.

        Raises:
            DamagedError: the rows are not those that were written.
        """
        yield from self._rows.pieces(partitions, columns, rows_at_once)

    def to_arrow(self, partitions: pl.DataFrame) -> Any:
        """Return the files of the days of some partitions as a pyarrow Dataset, with ``day``; they are compared before.

        Raises:
            DamagedError: a file is not as it was written.
        """
        datasets: Any = import_module("pyarrow.dataset")  # only who asks for Arrow needs it
        assert self.table is not None
        table: Any = beside_mirror(self.table)
        stored = table.to_pyarrow_dataset()
        # Without the bounds that the log claims: rows must not be left out because of them.
        fragments = [
            stored.format.make_fragment(path, stored.filesystem, datasets.field("day") == day)
            for path, day in self._rows.check_files(partitions).select("path", "day").iter_rows()
        ]
        return datasets.FileSystemDataset(fragments, stored.schema, stored.format, stored.filesystem)

    @cached_property
    def damaged(self) -> pl.DataFrame:
        """The days of which it is known that they are damaged; see ``damaged_days``."""
        return damaged_days(self.entries)

    @cached_property
    def damaged_generations(self) -> pl.DataFrame:
        """The copies online of which it is known that they are none; see ``ledger_entries.damaged_generations``."""
        return damaged_generations(self.entries)

    def _note(self, damage: DamagedError) -> None:
        """List damage that is met in the ledger, so that it is told and repaired; who may not write there, cannot."""
        start = damage.partition_start or datetime.combine(damage.day, time(), UTC)
        assert self.table is not None
        if damage.told not in self.damaged["problem"]:
            with suppress(StorageError, ConflictError):
                Ledger(self.uri, self.options).note_damage(start, self.table.version(), damage.told)

    @cached_property
    def _rows(self) -> StoredPartitions:
        assert self.table is not None
        return StoredPartitions(self.uri, self.options, self.table, self.entries, self.partitions, self._note)

    def _never_written(self) -> NotComputedError:
        return NotComputedError(f"{self.uri} was never written: first materialize the asset that writes it")

    def with_arrays(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return rows that were scanned with arrays as arrays."""
        if self.table is None:
            return rows
        shapes, schema = stored_shapes(self.table), rows.collect_schema()
        arrays = as_arrays(schema, shapes)
        return rows.with_columns(pl.col(name).cast(arrays[name]) for name in shapes if name in schema)

    def at(self, version: int | None) -> OpenTable:
        """Return the table as it was at an earlier version; None: before it was ever written.

        Raises:
            VersionExpiredError: that version was replaced so long ago that it need not be there any more.
            InputError: the table never had that version.
        """
        if version == self.version:
            return self
        if version is None:
            return OpenTable(self.uri, self.options, None, self.entries.clear())
        if self.version is None or version > self.version:
            raise InputError(f"{self.uri} has no version {version}, its newest is {self.version}: is it of this store?")
        replaced_at = self.entries.filter(pl.col("delta_version") == version + 1)["landed_at"].min()
        if isinstance(replaced_at, datetime) and replaced_at < datetime.now(UTC) - RETENTION:
            raise VersionExpiredError(
                f"{self.uri}: version {version} was replaced at {replaced_at}, and versions are kept for "
                f"{RETENTION.days} days after that: use the newest one"
            )
        before = self.entries.filter(pl.col("delta_version") <= version)
        return OpenTable(self.uri, self.options, open_table(self.uri, self.options, version), before)


@dataclass(frozen=True)
class PatchedTable(OpenTable):
    """A table whose partitions up to an instant are as they were at an earlier version.

    Attributes:
        now: the table.
        past: the table at the earlier version.
        until: partitions that end by this instant are those of the earlier version.
    """

    now: OpenTable
    past: OpenTable
    until: datetime

    @cached_property
    def partitions(self) -> pl.DataFrame:
        """The partitions that it holds; see ``current_state``."""
        past = self.past.partitions.filter(pl.col("as_of") <= self.until)
        return pl.concat([past, self.now.partitions.filter(pl.col("as_of") > self.until)])

    def pieces(
        self, partitions: pl.DataFrame, columns: Sequence[str], rows_at_once: int | None = None
    ) -> Iterator[pl.DataFrame]:
        """Read some of its partitions whole, piece by piece; see ``OpenTable.pieces``."""
        is_past = pl.col("as_of") <= self.until
        yield from self.past.pieces(partitions.filter(is_past), columns, rows_at_once)
        yield from self.now.pieces(partitions.filter(~is_past), columns, rows_at_once)

    @property
    def differs(self) -> bool:
        """Whether any partition has been rewritten since."""
        same = ["partition_start", "content_hash", "fingerprints"]
        return not self.partitions.select(same).equals(self.now.partitions.select(same))

    def scan(self, partitions: pl.DataFrame) -> pl.LazyFrame:
        """Read some of its partitions whole, lazily; see ``OpenTable.scan``."""
        is_past = pl.col("as_of") <= self.until
        scans = [self.past.scan(partitions.filter(is_past)), self.now.scan(partitions.filter(~is_past))]
        return pl.concat(scans, how="diagonal")

    def scan_some(self, partitions: pl.DataFrame) -> pl.LazyFrame:
        """Read few rows of some of its partitions, lazily; see ``OpenTable.scan_some``."""
        is_past = pl.col("as_of") <= self.until
        scans = [self.past.scan_some(partitions.filter(is_past)), self.now.scan_some(partitions.filter(~is_past))]
        return pl.concat(scans, how="diagonal")


def patched(opened: OpenTable, version: int, until: datetime) -> PatchedTable:
    """Return a table with those of its partitions that end by an instant as they were at an earlier version."""
    return PatchedTable(opened.uri, opened.options, opened.table, opened.entries, opened, opened.at(version), until)


def open_for_reading(uri: str, options: StorageOptions, ledger: Ledger) -> OpenTable:
    """Open a table and its ledger, in this order: the ledger knows of every commit that the rows hold."""
    table = open_table(uri, options)
    return OpenTable(uri, options, table, ledger.entries(table))
