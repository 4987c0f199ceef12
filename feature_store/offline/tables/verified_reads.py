"""Reading stored rows without believing them: files before they are opened, whole partitions by their sums.

Two depths. *Files*: size, bytes and number of rows of each are compared before anything is read of it; that is all that
can be said where only some rows are read. *Whole partitions*: their number of rows and the sums of the columns that are
read are compared with the ledger, so it does not matter which files were read, or what stands in them. What was written
before the ledger kept sums is compared by its number of rows alone. Of the Delta log no statistics are used to leave
files out: it may be damaged, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
import polars as pl
from deltalake import DeltaTable
from polars.io.plugins import register_io_source

from feature_store.codec.content_hash import WHOLE_ROWS, Content
from feature_store.engines.polars.content_hash import frame_contents
from feature_store.errors import DamagedError, FeatureStoreError
from feature_store.offline.delta.commits import StorageOptions, damaged_log
from feature_store.offline.delta.faults import as_damage, guarded
from feature_store.offline.delta.stored_files import damaged_files, known_files

_START: Final = "partition_start"

_BYTES_AT_ONCE: Final = 16 * 2**20
"""Files of together about so many bytes are read at once."""


@dataclass(frozen=True)
class StoredPartitions:
    """The files of a table at one version, and what its ledger says of them.

    Attributes:
        uri: where the table lies.
        options: storage options.
        table: open at that version.
        entries: of its ledger, up to that version.
        partitions: that it holds; see ``current_state``.
        note: called with damage that is met, before it is raised.
    """

    uri: str
    options: StorageOptions
    table: DeltaTable
    entries: pl.DataFrame
    partitions: pl.DataFrame
    note: Callable[[DamagedError], None]

    @cached_property
    def files(self) -> pl.DataFrame:
        """Its files; see ``known_files``."""
        return known_files(self.table, self.entries)

    def check_files(self, partitions: pl.DataFrame) -> pl.DataFrame:
        """Compare the files of the days of some partitions; return them.

        Raises:
            DamagedError: a file is missing, or not as it was written, or a day has other rows than were written.
            DamagedRecordError: the log lost a column.
        """
        self._check_columns(partitions)
        days = partitions[_START].dt.date().unique()
        files = self.files.filter(pl.col("day").is_in(days.implode()))
        for path, problem in damaged_files(self.uri, self.options, files):
            raise self._damaged(files.filter(pl.col("path") == path)["day"][0], problem, file=path)
        self._check_days(files, days)
        return files

    def scan(self, partitions: pl.DataFrame) -> pl.LazyFrame:
        """Return the rows of some partitions, lazily, and compare them when they are collected; see ``pieces``.

        Files are compared at once. Nothing is compared but files if only the first rows are collected.
        """
        files, stored = self.check_files(partitions), self._schema

        def read(
            columns: list[str] | None, predicate: pl.Expr | None, most: int | None, _batch: int | None
        ) -> Iterator[pl.DataFrame]:
            wanted = [*stored] if columns is None else columns
            left = most
            yield pl.DataFrame(schema={name: stored[name] for name in wanted})
            for frame in self._pieces(partitions, wanted, None, files):
                found = frame if predicate is None else frame.filter(predicate)
                found = found if left is None else found.head(left)
                yield found
                left = None if left is None else left - found.height
                if left == 0:
                    return

        return register_io_source(read, schema=stored, is_pure=True)

    def scan_some(self, partitions: pl.DataFrame) -> pl.LazyFrame:
        """Return the rows of some partitions, lazily, for who wants few of them: nothing but their files is compared.

        Where not all of these are known by their bytes, the rows are compared as in ``scan``.
        """
        files, stored = self.check_files(partitions), self._schema
        if files.is_empty() or files["crc"].has_nulls() or files["rows"].has_nulls():
            return self.scan(partitions)
        rows = self._scan_files(files["path"].to_list(), stored, partitions[_START])
        day = files["day"][0]
        return guarded(rows, self.uri, lambda said: DamagedError(self.uri, f"it cannot be read ({said})", day=day))

    def pieces(
        self, partitions: pl.DataFrame, columns: Sequence[str], rows_at_once: int | None = None
    ) -> Iterator[pl.DataFrame]:
        """Yield the rows of some partitions, and compare them once all were read: use none before the last came.

        Args:
            partitions: rows of ``partitions``, or of what it was at an earlier version, as this table holds them.
            columns: that are read; those that the table does not have are left out.
            rows_at_once: so many rows at most in a piece; None: a whole file.

        Raises:
            DamagedError: a file cannot be read, or rows are not those that were written.
        """
        yield from self._pieces(partitions, columns, rows_at_once, self.check_files(partitions))

    @cached_property
    def _schema(self) -> pl.Schema:
        return pl.Schema({name: of for name, of in pl.Schema(self.table.schema()).items() if name != "day"})

    def _pieces(
        self, partitions: pl.DataFrame, columns: Sequence[str], rows_at_once: int | None, files: pl.DataFrame
    ) -> Iterator[pl.DataFrame]:
        expected = [_Expected(group, columns) for group in _alike(partitions)]
        stored = self._schema
        wanted = [name for name in columns if name in stored]
        read = dict.fromkeys([*wanted, _START, *(name for group in expected for name in group.read if name in stored)])
        types = {name: stored[name] for name in read}
        for frame in self._frames(files, types, partitions[_START], rows_at_once):
            for group in expected:
                group.add(frame)
            yield frame.select(wanted)
        for group in expected:
            for start, differing in group.differences():
                raise self._damaged(start.date(), f"{differing} differ from what was written", partition=start)

    def _frames(
        self, files: pl.DataFrame, types: Mapping[str, pl.DataType], starts: pl.Series, rows_at_once: int | None
    ) -> Iterator[pl.DataFrame]:
        """Yield the rows of files: small ones together, since each alone costs as much as many rows."""
        together = pl.col("size").cum_sum() // _BYTES_AT_ONCE
        for batch in files.with_columns(together.alias("__batch")).partition_by("__batch", maintain_order=True):
            if rows_at_once is None and batch.height > 1:
                with suppress(_OneOfThemError), as_damage(self.uri, _OneOfThemError):
                    yield self._scan_files(batch["path"].to_list(), types, starts).collect(engine="in-memory")
                    continue
            for path, day in batch.select("path", "day").iter_rows():
                with as_damage(f"{self.uri}/{path}", partial(self._unreadable, path, day)):
                    yield from self._read(path, types, starts, rows_at_once)

    def _unreadable(self, path: str, day: Any, said: str) -> DamagedError:
        return self._damaged(day, f"it cannot be read ({said})", file=path)

    def _scan_files(
        self,
        paths: Sequence[str],
        types: Mapping[str, pl.DataType],
        starts: pl.Series,
        part: tuple[int, int | None] = (0, None),
    ) -> pl.LazyFrame:
        rows = pl.scan_parquet(
            [f"{self.uri}/{path}" for path in paths],
            hive_partitioning=False,
            schema=pl.Schema(types),
            missing_columns="insert",
            extra_columns="ignore",
            storage_options=dict(self.options) or None,
        )
        return rows.slice(*part).filter(pl.col(_START).is_in(starts.implode()))

    def _read(
        self, path: str, types: Mapping[str, pl.DataType], starts: pl.Series, rows_at_once: int | None
    ) -> Iterator[pl.DataFrame]:
        rows = self._scan_files([path], types, starts)
        if rows_at_once is None:
            yield rows.collect(engine="in-memory")
            return
        count = pl.scan_parquet(
            f"{self.uri}/{path}", hive_partitioning=False, storage_options=dict(self.options) or None
        )
        for offset in range(0, count.select(pl.len()).collect().item(), rows_at_once):
            yield self._scan_files([path], types, starts, (offset, rows_at_once)).collect(engine="in-memory")

    def _check_columns(self, partitions: pl.DataFrame) -> None:
        """Refuse a table of which the log does not know a column that was written."""
        for group in _alike(partitions.filter(pl.col("column_sums").is_not_null())):
            written = Content.from_text(0, group["column_sums"][0]).sums
            lost = sorted(written.keys() - {WHOLE_ROWS, *self._schema})
            if lost:
                raise damaged_log(self.uri, f"it does not know the columns {', '.join(lost)}, which were written")

    @cached_property
    def _days(self) -> pl.DataFrame:
        """What is said to stand on each day: ``rows``, and ``written``, the version before which none of it was."""
        day = pl.col(_START).dt.date().alias("day")
        return self.partitions.group_by(day).agg(pl.col("rows").sum(), pl.col("delta_version").min().alias("written"))

    def _check_days(self, files: pl.DataFrame, days: pl.Series) -> None:
        """Compare how many rows the log says that days have, and how old their files are, with what the ledger does."""
        said = files.group_by("day").agg(
            pl.col("rows").sum().alias("said"), pl.col("rows").has_nulls().alias("uncounted")
        )
        both = pl.DataFrame({"day": days}).join(said, on="day", how="left").join(self._days, on="day", how="left")
        counts = both.filter(pl.col("uncounted").not_().fill_null(value=True)).fill_null(0)
        for day, found, written in counts.filter(pl.col("said") != pl.col("rows")).select("day", "said", "rows").rows():
            raise self._damaged(day, f"its files have {found} rows, {written} were written")
        older = files.join(self._days, on="day").filter(pl.col("added_by") < pl.col("written"))
        for day, path in older.select("day", "path").iter_rows():
            raise self._damaged(day, "it was replaced, but is listed again", file=path)

    def _damaged(
        self, day: Any, problem: str, *, file: str | None = None, partition: datetime | None = None
    ) -> DamagedError:
        of_day: list[datetime] = self.partitions.filter(pl.col(_START).dt.date() == day)[_START].to_list()
        start = min(of_day, default=None) if partition is None else partition
        damage = DamagedError(self.uri, problem, day=day, partition_start=start, file=file)
        self.note(damage)
        return damage


class _OneOfThemError(FeatureStoreError):
    """Of files that are read together one cannot be read; read one by one, it is known which."""


class _Expected:
    """Partitions whose sums are of the same columns, and what was found of them so far."""

    def __init__(self, partitions: pl.DataFrame, columns: Sequence[str]) -> None:
        self._starts = partitions[_START].sort()
        sums = partitions["column_sums"][0]
        self._written = {
            row[_START]: Content(row["rows"], (), {})
            if sums is None
            else Content.from_text(row["rows"], row["column_sums"])
            for row in partitions.select(_START, "rows", "column_sums").iter_rows(named=True)
        }
        written = next(iter(self._written.values()))
        self._key = written.key
        summed = [name for name in written.sums if name != WHOLE_ROWS]
        self.read: Final = [name for name in summed if name in columns or name in written.key]
        """The columns that are compared, and their key."""
        self._unique = WHOLE_ROWS not in written.sums or len(self.read) < len(summed)
        self._found: dict[datetime, Content] = {}

    def add(self, frame: pl.DataFrame) -> None:
        """Add what is known of the rows of a frame that belong to the partitions."""
        rows = frame.filter(pl.col(_START).is_in(self._starts.implode()))
        rows = rows if rows[_START].is_sorted() else rows.sort(_START)
        bounds = np.append(rows[_START].search_sorted(self._starts).cast(pl.Int64).to_numpy(), rows.height)
        names = [name for name in self.read if name in rows.columns]
        if self._key and set(self._key) <= set(names):
            contents = frame_contents(rows.select(names), self._key, bounds, unique=self._unique)
        else:
            contents = [Content(count, (), {}) for count in np.diff(bounds).tolist()]
        for start, content in zip(self._starts.to_list(), contents, strict=True):
            known = self._found.get(start)
            self._found[start] = content if known is None else known + content

    def differences(self) -> Iterator[tuple[datetime, str]]:
        """Yield the partitions that are not as they were written, and in what they differ."""
        for start, written in self._written.items():
            differing = written.differences(self._found.get(start, Content(0, (), {})))
            if differing:
                yield start, ", ".join("all values of a row" if name == WHOLE_ROWS else name for name in differing)


def _alike(partitions: pl.DataFrame) -> list[pl.DataFrame]:
    """Return partitions in groups whose sums are of the same columns."""
    names = pl.col("column_sums").str.replace_all(r'":"[0-9a-f]{16}"', "").alias("__names")
    return [group.drop("__names") for group in partitions.with_columns(names).partition_by("__names")]
