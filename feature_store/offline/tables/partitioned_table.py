"""A Delta table in partitions: written range by range, read through its ledger only.

A write is one commit of rows and of what the ledger is to list of them, and then one of the ledger: a writer that dies
has written all or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl
from deltalake import DeltaTable

from feature_store.codec.content_hash import WHOLE_ROWS
from feature_store.engines.engine import Staged
from feature_store.errors import FingerprintError, InputError
from feature_store.offline.delta.commits import (
    RETENTION,
    StorageOptions,
    keeping,
    open_or_create,
    open_table,
    overwrite_range,
    retry_commit,
)
from feature_store.offline.delta.compaction import keep_up
from feature_store.offline.delta.instants import instants, partition_starts
from feature_store.offline.delta.s3_log import is_on_s3
from feature_store.offline.delta.staged_files import check_files, commit_days, read_staged, rows_like, staged_checksums
from feature_store.offline.delta.stages import Stage
from feature_store.offline.delta.storage_types import (
    array_shapes,
    as_arrays,
    check_stored_names,
    to_storage,
)
from feature_store.offline.ledger.ledger import Ledger
from feature_store.offline.ledger.ledger_entries import commit_tags
from feature_store.offline.tables.open_table import OpenTable, open_for_reading
from feature_store.offline.tables.overlaid_table import OverlaidLedger, Shared, overlaid
from feature_store.offline.tables.write import Write, check_unwritten, describe, describe_staged

COMMITS_BETWEEN_UPKEEPS: Final = 24
"""After so many commits the small files of each day are merged, and what was replaced ``RETENTION`` ago is deleted."""


class PartitionedTable:
    """A table of the offline store, for reading by anybody and writing by its owner.

    Args:
        uri: where the table lies.
        options: storage options, as deltalake takes them.
        shared: of a table of a branch, what it reads of production; None: nothing ever.
    """

    def __init__(self, uri: str, options: StorageOptions, shared: Shared | None = None) -> None:
        self.uri = uri
        self.options = options
        self.ledger = Ledger(uri, options) if shared is None else OverlaidLedger(uri, options, shared)
        self._shared = shared

    def delta_version(self) -> int | None:
        """Return the newest version of the Delta table; None if it was never written."""
        table = open_table(self.uri, self.options)
        return None if table is None else table.version()

    def open(self) -> OpenTable:
        """Return one consistent look at the rows and the ledger."""
        return self._beside_shared(open_for_reading(self.uri, self.options, self.ledger))

    def _beside_shared(self, own: OpenTable) -> OpenTable:
        return own if self._shared is None else overlaid(own, self._shared())

    def scan(self, start: datetime | None = None, end: datetime | None = None) -> pl.LazyFrame:
        """Read the landed partitions that begin in ``[start, end)``, lazily; partitions that did not land are left out.

        Args:
            start: inclusive; None: from the first.
            end: exclusive; None: to the last.

        Returns:
            The stored columns without ``day``, arrays as arrays; rows in no particular order.

        Raises:
            NotComputedError: the table was never written.
        """
        opened = self.open()
        return opened.with_arrays(opened.scan(opened.between(start, end)))

    def write_range(self, frame: pl.DataFrame, write: Write) -> int:
        """Replace the partitions of a range; those without rows become empty. Writing the same again changes nothing.

        Args:
            frame: the rows, with ``partition_start``.
            write: what is written.

        Returns:
            The number of rows.

        Raises:
            InputError: rows outside the range, repeated rows, times without a zone.
            FingerprintError: a column changed its type.
            DamagedError: a part of a day is written, and another part of it is damaged.
            ConflictError: concurrent writers of the same partitions won every time.
        """
        starts = partition_starts(write.start, write.end, write.cadence)
        check_stored_names(self.uri, frame.columns, ("day", WHOLE_ROWS))
        stored, arrays = to_storage(frame), array_shapes(frame.schema)
        self._check_range(stored, write, starts)
        stored = stored.sort("partition_start", *write.order, nulls_last=False, maintain_order=True)
        self._check_unique(stored, write)
        landed = describe(stored, starts, write)
        with_day = stored.with_columns(day=pl.col("partition_start").dt.date())
        within = f"{write.start.isoformat()}/{write.end.isoformat()}"
        tags = self.ledger.sealed({"range": within, **commit_tags(landed, write.run_id)})
        types = as_arrays(with_day.schema, arrays)
        self._check_shared_types(types, write)

        def commit() -> tuple[DeltaTable, pl.DataFrame, int]:
            table = open_or_create(
                self.uri, self.options, with_day, keeping(RETENTION), partition_by=["day"], arrays=arrays
            )
            base, listed = table.version(), self.ledger.listed()
            current = OpenTable(self.uri, self.options, table, self.ledger.entries(table, listed))
            self._check_overlap(current, write)
            self._check_types(current, types, write)
            self._agree(current)
            beside = self._sound_beside(current, write)
            span = write.start, write.end
            whole_days = beside.is_empty() or is_on_s3(self.uri)
            rows = _with_kept(current, with_day, beside, write) if whole_days else with_day
            overwrite_range(table, rows, arrays, *span, tags, whole_days=whole_days)
            return table, listed, base

        table, listed, base = retry_commit(commit)
        self.ledger.update(table, listed)
        if base // COMMITS_BETWEEN_UPKEEPS != table.version() // COMMITS_BETWEEN_UPKEEPS:
            keep_up(table, write.order, lambda day: self._read_day(table, day))
        return stored.height

    def commit_staged(self, stage: Stage, staged: Sequence[Staged], write: Write) -> int:
        """Replace the partitions of a range by what was staged for them, in one commit; return the number of rows.

        Args:
            stage: that the files belong to.
            staged: every partition of the range.
            write: what is written; counts of excluded rows are among the facts.

        Raises:
            InputError: a partition was not staged, rows repeat, or a file is not what its facts say.
            FingerprintError: a column changed its type.
            DamagedError: a part of a day is written, and another part of it is damaged.
            ConflictError: another run wrote partitions of the range since this one was planned.
        """
        landed = describe_staged(self.uri, staged, write)
        like = rows_like(staged[0])
        files, arrays = check_files(self.uri, self.options, staged), array_shapes(like.schema)
        stored = to_storage(like).with_columns(day=pl.col("partition_start").dt.date())
        within = f"{write.start.isoformat()}/{write.end.isoformat()}"
        told = {"range": within, **commit_tags(landed, write.run_id)}
        types = as_arrays(stored.schema, arrays)
        self._check_shared_types(types, write)

        def commit() -> tuple[DeltaTable, pl.DataFrame, int]:
            table = open_or_create(
                self.uri, self.options, stored, keeping(RETENTION), partition_by=["day"], arrays=arrays
            )
            base, listed = table.version(), self.ledger.listed()
            current = OpenTable(self.uri, self.options, table, self.ledger.entries(table, listed))
            self._check_overlap(current, write)
            check_unwritten(self.uri, current.partitions, write, stage)
            self._check_types(current, types, write)
            self._agree(current)
            beside = self._sound_beside(current, write)
            span, whole_days = (write.start, write.end), beside.is_empty()
            # Of days that are written anew with others the files are not those that were staged.
            tags = self.ledger.sealed({**told, "files": staged_checksums(staged)} if whole_days else told)
            if is_on_s3(self.uri) and not whole_days:
                rows = pl.concat(to_storage(read_staged(self.uri, self.options, each)) for each in staged)
                days = rows.with_columns(day=pl.col("partition_start").dt.date())
                overwrite_range(table, _with_kept(current, days, beside, write), arrays, *span, tags, whole_days=True)
            else:
                commit_days(table, self.options, staged, files, *span, tags, whole_days=whole_days)
            return table, listed, base

        table, listed, base = retry_commit(commit)
        table.update_incremental()
        self.ledger.update(table, listed)
        if base // COMMITS_BETWEEN_UPKEEPS != table.version() // COMMITS_BETWEEN_UPKEEPS:
            keep_up(table, write.order, lambda day: self._read_day(table, day))
        return sum(partition.content.rows for partition in landed)

    def _check_range(self, frame: pl.DataFrame, write: Write, starts: Sequence[datetime]) -> None:
        outside = frame.filter(~pl.col("partition_start").is_in(instants(starts).implode(), nulls_equal=True))
        if outside.height:
            first = outside["partition_start"][0]
            raise InputError(
                f"{self.uri}: {outside.height} rows are in no partition of [{write.start}, {write.end}), "
                f"e.g. partition_start={first}: write them with the range they belong to"
            )

    def _check_overlap(self, current: OpenTable, write: Write) -> None:
        """Refuse to replace a part of a partition: rows are known to be of one only by its start."""
        start, end = pl.col("partition_start"), pl.col("as_of")
        overlapping = self._beside_shared(current).partitions.filter(start < write.end, end > write.start)
        parts = overlapping.filter((start < write.start) | (end > write.end))
        if parts.height:
            raise InputError(
                f"{self.uri}: [{write.start}, {write.end}) overlaps partition [{parts['partition_start'][0]}, "
                f"{parts['as_of'][0]}): write all of it"
            )

    def _agree(self, current: OpenTable) -> None:
        """Make sure, within a commit, that what is written means what is stored; see ``ValueTable``."""

    def _sound_beside(self, current: OpenTable, write: Write) -> pl.DataFrame:
        """Return the partitions with rows that lie on days of a write, and are not replaced by it.

        Raises:
            DamagedError: they are written anew with it, and are damaged: they must not look healthy.
        """
        start = pl.col("partition_start")
        days = start.dt.date().is_between(write.start.date(), (write.end - timedelta(microseconds=1)).date())
        beside = current.partitions.filter(pl.col("rows") > 0, days, (start < write.start) | (start >= write.end))
        if current.between(write.start, write.end)["rows"].sum():
            current.read(beside)
        return beside

    def _read_day(self, table: DeltaTable, day: date) -> pl.DataFrame:
        current = OpenTable(self.uri, self.options, table, self.ledger.entries(table))
        return current.read(current.partitions.filter(pl.col("partition_start").dt.date() == day))

    def _check_unique(self, frame: pl.DataFrame, write: Write) -> None:
        if not write.unique or frame.height < 2:
            return
        columns = ["partition_start", *write.key]
        repeated = frame.select(pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in columns))
        rows = repeated.to_series()[1:].sum()
        if rows:
            raise InputError(
                f"{self.uri}: {rows} rows have the same ({', '.join(columns)}) as another row: keep one of them"
            )

    def _check_shared_types(self, schema: pl.Schema, write: Write) -> None:
        """Refuse other types than those of the partitions that are read beside, before anything is written."""
        if self._shared is not None:
            self._check_types(self.open(), schema, write)

    def _check_types(self, current: OpenTable, schema: pl.Schema, write: Write) -> None:
        computed = write.fingerprints or {}
        stored = current.with_arrays(pl.LazyFrame(schema=current.columns)).collect_schema()
        check_stored_names(self.uri, dict.fromkeys([*stored, *schema]), ())
        for name, dtype in schema.items():
            if name in stored and stored[name] != dtype:
                advice = "declare a new version of the view" if name in computed else "cast it where the rows are made"
                raise FingerprintError(
                    f"{self.uri}: column {name!r} is stored as {stored[name]}, but is {dtype} now: "
                    f"{advice}, or give it another name"
                )


def _with_kept(current: OpenTable, rows: pl.DataFrame, beside: pl.DataFrame, write: Write) -> pl.DataFrame:
    """Return rows with those of the partitions on the same days that stay: so the days can be replaced whole."""
    if beside.is_empty():
        return rows
    kept = current.read(beside).with_columns(day=pl.col("partition_start").dt.date())
    return pl.concat([rows, kept], how="diagonal").sort("partition_start", *write.order, nulls_last=False)
