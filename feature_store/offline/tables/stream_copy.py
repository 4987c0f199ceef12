"""The offline copy of what the stream wrote: tiles with absolute values, appended write by write.

A write is one commit. Its tags name the writer, its sequence number and the span for which the stream is complete after
this write; the ledger beside the copy lists them. Of several writes of a tile the one that is complete for more of it
counts, and of those the newest: a stream that is begun again, since the online store was lost, replaces nothing before
it has caught up. Rows say of which write they are, and are never changed, so what was known at an earlier version is
known still. Files are small and many at first; every ``_COMMITS_BETWEEN_UPKEEPS`` commits they are merged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction

from feature_store.errors import DamagedError, InputError
from feature_store.offline.delta.added_files import AddedFile, add_days, append_files, checksums_text
from feature_store.offline.delta.commit_ledger import CommitLedger, Listing
from feature_store.offline.delta.commits import (
    StorageOptions,
    compact,
    drop_replaced,
    keeping,
    open_or_create,
    open_table,
    retry_commit,
)
from feature_store.offline.delta.faults import guarded
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.delta.storage_types import to_storage
from feature_store.offline.delta.stored_files import damaged_files, files_of, known_files
from feature_store.plans.stream_plan import StreamPlan
from feature_store.temporal.instants import to_microseconds

_COMMITS_BETWEEN_UPKEEPS: Final = 64
_READ_WITHIN: Final = timedelta(days=1)
"""A copy that was opened is read within this span: replaced files are kept no longer."""

_WRITE: Final = ["writer", "sequence"]

WRITES: Final = pl.Schema(
    {
        "writer": pl.String,
        "sequence": pl.Int64,
        "start": INSTANT,
        "end": INSTANT,
        "landed_at": INSTANT,
        "rows": pl.Int64,
        "fingerprints": pl.String,
        "files": pl.String,
        "delta_version": pl.Int64,
    }
)
"""Columns of the ledger; of a commit that is no write all are null but ``landed_at``, ``files`` and ``delta_version``.

``files`` is what the commit added, JSON of ``CHECKSUMS``; null: it is not known.
"""

_TAGS: Final = ("writer", "sequence", "start", "end", "rows", "fingerprints", "files")

_FILES_ALONE: Final = pl.col("landed_at").is_null()
"""Entries that list the files of a commit that is no write."""


def _entries(commits: pl.DataFrame) -> pl.DataFrame:
    at = pl.col("timestamp").cast(pl.Int64) * 1000
    instants = [pl.col(name).cast(pl.Int64).cast(INSTANT) for name in ("start", "end")]
    numbers = [pl.col(name).cast(pl.Int64) for name in ("sequence", "rows")]
    return commits.with_columns(at.cast(INSTANT).alias("landed_at"), *instants, *numbers).select(WRITES.names())


_LISTING: Final = Listing(
    schema=WRITES,
    commit=pl.Schema({"delta_version": pl.Int64, "timestamp": pl.Int64, **dict.fromkeys(_TAGS, pl.String)}),
    entries=_entries,
    of_commits=~_FILES_ALONE,
    files=lambda checksums: pl.concat([pl.DataFrame(schema=WRITES), checksums], how="diagonal"),
)


@dataclass(frozen=True)
class OpenStreamCopy:
    """A copy as it was when it was opened.

    Attributes:
        table: its rows; None: nothing was ever written.
        writes: its ledger: each write once, in the order in which they were committed.
        version: up to which version of the rows there are writes; None: there are none.
        uri: where the rows lie.
        options: storage options.
        entries: all that the ledger lists, up to the version at which the rows are open.
    """

    table: DeltaTable | None
    writes: pl.DataFrame
    version: int | None
    uri: str
    options: StorageOptions
    entries: pl.DataFrame

    def at(self, version: int | None) -> OpenStreamCopy:
        """Return the copy as it was at an earlier version; None: before anything was written."""
        if version is None:
            return replace(self, table=None, writes=self.writes.clear(), version=None)
        return replace(self, writes=self.writes.filter(pl.col("delta_version") <= version), version=version)

    def check_files(self, first: date, last: date) -> pl.DataFrame:
        """Compare the files of some days, and the number of all rows; return the files of these days.

        Args:
            first: inclusive.
            last: inclusive.

        Raises:
            DamagedError: a file is missing or not as it was written, or the log lists fewer rows than were written.
        """
        assert self.table is not None
        files = known_files(self.table, self.entries)
        written = self.entries.drop_nulls("writer").unique(_WRITE)["rows"].sum()
        # Merging files may have left rows twice, but never fewer.
        if files["rows"].null_count() == 0 and files["rows"].sum() < written:
            raise self._damaged(f"its files have {files['rows'].sum()} rows, {written} were written", first)
        wanted = files.filter(pl.col("day").is_between(first, last))
        for path, problem in damaged_files(self.uri, self.options, wanted):
            raise self._damaged(problem, wanted.filter(pl.col("path") == path)["day"][0], file=path)
        return wanted

    def scan(self, writes: pl.DataFrame, keys: Sequence[str], start: datetime, end: datetime) -> pl.LazyFrame | None:
        """Read every tile that starts in ``[start, end)``, from the write that knows most of it, lazily.

        Args:
            writes: rows of ``self.writes``, in their order.
            keys: the entity's.
            start: inclusive.
            end: exclusive.

        Returns:
            Keys, ``span``, ``tile_start`` and state columns; None: no write.
        """
        if self.table is None or writes.is_empty():
            return None
        at = pl.col("tile_start")
        within = pl.col("day").is_between(start.date(), end.date()) & (at >= start) & (at < end)
        order = writes.select(*_WRITE, pl.col("end").alias("__end")).with_row_index("__order").lazy()
        files = self.check_files(start.date(), end.date())
        stored = pl.Schema(self.table.schema())
        scans = [self._file(path, day, stored) for path, day in files.select("path", "day").iter_rows()]
        rows = pl.concat([pl.LazyFrame(schema=stored), *scans])
        rows = rows.filter(within).join(order, on=_WRITE, how="inner")
        complete_until = pl.min_horizontal("__end", at + pl.duration(microseconds=pl.col("span")))
        ordered = rows.sort(complete_until, "__order")
        known = ordered.unique([*keys, "span", "tile_start"], keep="last", maintain_order=True)
        return known.drop("__order", "__end", "day", *_WRITE)

    def _file(self, path: str, day: date, stored: pl.Schema) -> pl.LazyFrame:
        rows = pl.scan_parquet(
            f"{self.uri}/{path}",
            hive_partitioning=False,
            schema=pl.Schema({name: of for name, of in stored.items() if name != "day"}),
            missing_columns="insert",
            extra_columns="ignore",
            storage_options=dict(self.options) or None,
        )
        whole = rows.with_columns(pl.lit(day).alias("day")).select(stored.names())
        return guarded(
            whole, f"{self.uri}/{path}", lambda said: self._damaged(f"it cannot be read ({said})", day, file=path)
        )

    def _damaged(self, problem: str, day: date, file: str | None = None) -> DamagedError:
        cure = "put the log and the files of the stream's copy back"
        return DamagedError(self.uri, problem, day=day, file=file, cure=cure)

    def rows_by_day(self, first: date, last: date) -> list[tuple[str, int]]:
        """Return how many rows each day of tiles has; as rows are never changed, this tells whether there are new ones.

        Args:
            first: inclusive.
            last: inclusive.
        """
        if self.table is None:
            return []
        within = files_of(self.table).filter(pl.col("day").is_between(first, last))
        return within.group_by(pl.col("day").cast(pl.String)).agg(pl.col("rows").sum()).sort("day").rows()


class StreamCopy:
    """The stream copy of one view, for writing by the stream and reading by anybody.

    Args:
        uri: where its rows lie.
        options: storage options, as deltalake takes them.
        shared: of the copy of a branch, what is read until it is written; None: nothing ever.
    """

    def __init__(
        self, uri: str, options: StorageOptions, shared: Callable[[], OpenStreamCopy | None] | None = None
    ) -> None:
        self.uri = uri
        self._shared = shared
        self._options = options
        self._ledger = CommitLedger(uri, options, _LISTING)

    def append(
        self, tiles: pl.DataFrame, plan: StreamPlan, *, writer: str, sequence: int, start: datetime, end: datetime
    ) -> int:
        """Append tiles as the stream has them now; a write that is known already changes nothing.

        Args:
            tiles: keys, ``span`` (microseconds), ``tile_start`` and every state column of the view's tiles.
            plan: of the view.
            writer: who writes; it numbers its writes, and makes them in this order.
            sequence: of the write; one that is not above the writer's last is known.
            start: with this write and those before, all tiles that overlap the time from here, ...
            end: ... up to here (exclusive) are as the stream knows them; those without an event are absent.

        Returns:
            The number of tiles written.

        Raises:
            InputError: a column is missing, or the span ends before it starts.
        """
        missing = {"span", "tile_start", *(state.column for state in plan.states)} - set(tiles.columns)
        if missing:
            raise InputError(f"{self.uri}: columns {sorted(missing)} are missing: write whole tiles")
        if start > end:
            raise InputError(f"{self.uri}: the write covers [{start}, {end}), which ends before it starts")
        day = pl.col("tile_start").dt.date().alias("day")
        rows = to_storage(tiles).with_columns(day, writer=pl.lit(writer), sequence=pl.lit(sequence, pl.Int64))
        told = {
            "writer": writer,
            "sequence": str(sequence),
            "start": str(to_microseconds(start)),
            "end": str(to_microseconds(end)),
            "rows": str(rows.height),
            "fingerprints": json.dumps(plan.fingerprints, sort_keys=True),
        }
        files: list[AddedFile] = []

        def commit() -> int | None:
            table = open_or_create(self.uri, self._options, rows, keeping(_READ_WITHIN), partition_by=["day"])
            base, known = table.version(), table.transaction_version(writer)
            if known is not None and known >= sequence:
                return None
            files.extend([] if files else add_days(self.uri, self._options, rows))
            tags = self._ledger.sealed({**told, "files": checksums_text(files)})
            once = CommitProperties(custom_metadata=tags, app_transactions=[Transaction(writer, sequence)])
            append_files(table, rows, files, once)
            return base

        base = retry_commit(commit)
        if base is None:
            return 0
        table = open_table(self.uri, self._options)
        assert table is not None
        if base // _COMMITS_BETWEEN_UPKEEPS != table.version() // _COMMITS_BETWEEN_UPKEEPS:
            self._keep_up(table)
        return rows.height

    def _keep_up(self, table: DeltaTable) -> None:
        """Merge small files; if any is damaged none is: written anew, it would look healthy."""
        self._ledger.update(table)
        with suppress(DamagedError):
            self.open().check_files(date.min, date.max)
            compact(table)
            self._ledger.update(table)
        drop_replaced(table)

    def open(self) -> OpenStreamCopy:
        """Return one look at the rows and the ledger."""
        table = open_table(self.uri, self._options)
        shared = self._shared() if table is None and self._shared is not None else None
        if shared is not None:
            return shared
        entries = self._ledger.entries(table)
        writes = entries.drop_nulls("writer").drop("files").unique(_WRITE).sort("delta_version")
        version = None if table is None else table.version()
        return OpenStreamCopy(table, writes, version, self.uri, self._options, entries)
