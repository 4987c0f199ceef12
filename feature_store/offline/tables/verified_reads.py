"""Reading stored rows without believing them: files before they are opened, whole partitions by their sums.

Two depths. *Files*: size, bytes and number of rows of each are compared before anything is read of it; that is all that
can be said where only some rows are read. *Whole partitions*: their number of rows and the sums of the columns that are
read are compared with the ledger, so it does not matter which files were read, or what stands in them. What was written
before the ledger kept sums is compared by its number of rows alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl
from deltalake import DeltaTable

from feature_store.codec.content_hash import WHOLE_ROWS, Content
from feature_store.engines.polars.content_hash import frame_contents
from feature_store.errors import DamagedError
from feature_store.offline.delta.commits import StorageOptions
from feature_store.offline.delta.stored_files import CHECKSUMS, damaged_files, files_of
from feature_store.offline.ledger.ledger_entries import FILES

_UNREADABLE: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""The exceptions that Polars raises for a file that is cut or changed."""

_START: Final = "partition_start"


@dataclass(frozen=True)
class StoredPartitions:
    """The files of a table at one version, and what its ledger says of them.

    Attributes:
        uri: where the table lies.
        options: storage options.
        table: open at that version.
        entries: of its ledger, up to that version.
        partitions: that it holds; see ``current_state``.
    """

    uri: str
    options: StorageOptions
    table: DeltaTable
    entries: pl.DataFrame
    partitions: pl.DataFrame

    @cached_property
    def files(self) -> pl.DataFrame:
        """Its files: ``path``, ``day``, ``size``, ``rows`` and ``crc``; null where a file is older than that."""
        texts = self.entries.filter(pl.col("kind") == FILES)["files"]
        listed = texts.str.json_decode(pl.List(pl.Struct(CHECKSUMS))).explode(empty_as_null=False)
        known = listed.struct.unnest().unique("path", keep="last")
        return files_of(self.table).join(known.select("path", "crc"), on="path", how="left").sort("day", "path")

    def check_files(self, partitions: pl.DataFrame) -> pl.DataFrame:
        """Compare the files of the days of some partitions; return them.

        Raises:
            DamagedError: a file is missing, or not as it was written, or a day has other rows than were written.
        """
        days = partitions[_START].dt.date().unique()
        files = self.files.filter(pl.col("day").is_in(days.implode()))
        for path, problem in damaged_files(self.uri, self.options, files):
            raise self._damaged(files.filter(pl.col("path") == path)["day"][0], problem, file=path)
        self._check_rows(files, days)
        return files

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
        expected = [_Expected(group, columns) for group in _alike(partitions)]
        stored = pl.Schema(self.table.schema())
        wanted = [name for name in columns if name in stored]
        read = dict.fromkeys([*wanted, _START, *(name for group in expected for name in group.read if name in stored)])
        for path, day in self.check_files(partitions).select("path", "day").iter_rows():
            try:
                for frame in self._read(path, {name: stored[name] for name in read}, partitions[_START], rows_at_once):
                    for group in expected:
                        group.add(frame)
                    yield frame.select(wanted)
            except _UNREADABLE as problem:
                raise self._damaged(day, f"it cannot be read ({_first_line(problem)})", file=path) from problem
        for group in expected:
            for start, differing in group.differences():
                raise self._damaged(start.date(), f"{differing} differ from what was written", partition=start)

    def _read(
        self, path: str, columns: Mapping[str, Any], starts: pl.Series, rows_at_once: int | None
    ) -> Iterator[pl.DataFrame]:
        rows = pl.scan_parquet(
            f"{self.uri}/{path}", hive_partitioning=False, storage_options=dict(self.options) or None
        )
        held = rows.collect_schema()
        selected = rows.select(
            (pl.col(name).cast(dtype) if name in held else pl.lit(None, dtype)).alias(name)
            for name, dtype in columns.items()
        )
        within = pl.col(_START).is_in(starts.implode())
        if rows_at_once is None:
            yield selected.filter(within).collect()
            return
        for offset in range(0, rows.select(pl.len()).collect().item(), rows_at_once):
            yield selected.slice(offset, rows_at_once).collect().filter(within)

    def _check_rows(self, files: pl.DataFrame, days: pl.Series) -> None:
        """Compare how many rows the log says that days have with what the ledger does."""
        uncounted = files.filter(pl.col("rows").is_null())["day"]
        said = files.group_by("day").agg(pl.col("rows").sum().alias("said"))
        listed = self.partitions.group_by(pl.col(_START).dt.date().alias("day")).agg(pl.col("rows").sum())
        both = (
            pl.DataFrame({"day": days}).join(said, on="day", how="left").join(listed, on="day", how="left").fill_null(0)
        )
        differing = both.filter(pl.col("said") != pl.col("rows"), ~pl.col("day").is_in(uncounted.implode()))
        for day, found, written in differing.iter_rows():
            raise self._damaged(day, f"its files have {found} rows, {written} were written")

    def _damaged(
        self, day: Any, problem: str, *, file: str | None = None, partition: datetime | None = None
    ) -> DamagedError:
        of_day: list[datetime] = self.partitions.filter(pl.col(_START).dt.date() == day)[_START].to_list()
        start = min(of_day, default=None) if partition is None else partition
        return DamagedError(self.uri, problem, day=day, partition_start=start, file=file)


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


def _first_line(problem: BaseException) -> str:
    return str(problem).strip().partition("\n")[0] or type(problem).__name__
