"""Spines as files: Parquet files, a Delta table, or rows that were written to files to be read again.

The row of a file has a number of its own, so the spine's order is that of its files and then of their rows, whoever
reads them, however often.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import polars as pl
from deltalake._internal import DeltaFileSystemHandler

from feature_store.errors import InputError
from feature_store.offline.delta.added_files import write_file
from feature_store.offline.delta.commits import StorageOptions, open_table
from feature_store.offline.delta.faults import as_storage_errors
from feature_store.offline.delta.paths import local_folder
from feature_store.s3.options import options_of

PIECE_ROWS: Final = 500_000
"""So many rows of a file at most are read at once."""

_UNREADABLE: Final = {"deletionVectors": "deletion vectors", "columnMapping": "column mapping"}


@dataclass(frozen=True)
class SpineFile:
    """A file of a spine, or some of its rows.

    Attributes:
        uri: where it lies.
        rows: their number.
        first: number of the first of them in the file.
        values: columns that are the same in all rows, and not in the file.
    """

    uri: str
    rows: int
    first: int = 0
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class SpineFiles:
    """A spine that lies in Parquet files.

    Attributes:
        files: in the order of the rows.
        options: storage options.
        types: by column that a file does not hold, its type.
    """

    files: tuple[SpineFile, ...]
    options: StorageOptions
    types: Mapping[str, pl.DataType] = field(default_factory=dict[str, pl.DataType])

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(file.rows for file in self.files)

    def in_pieces(self, most: int = PIECE_ROWS) -> SpineFiles:
        """Return it with files cut into parts of at most so many rows; those without rows are left out."""
        pieces = (
            replace(file, first=at, rows=min(most, file.rows - at))
            for file in self.files
            for at in range(0, file.rows, most)
        )
        return replace(self, files=tuple(pieces))

    def read(self, file: SpineFile) -> pl.DataFrame:
        """Return the rows of a file.

        Raises:
            InputError: it is not there any more, or has fewer rows than it had.
        """
        rows = pl.scan_parquet(file.uri, hive_partitioning=False, storage_options=dict(self.options) or None)
        with as_storage_errors(file.uri, "the spine cannot be read"):
            frame = rows.slice(file.first, file.rows).collect(engine="in-memory")
        if frame.height != file.rows:
            raise InputError(f"spine file {file.uri} has fewer rows than it had: leave it as it is while it is joined")
        values = [pl.lit(file.values[name]).cast(of).alias(name) for name, of in self.types.items()]
        return frame.with_columns(values)

    def read_all(self) -> pl.DataFrame:
        """Return all rows, in their order."""
        return pl.concat([self.read(file) for file in self.files])


def parquet_spine(uri: str | Sequence[str], options: StorageOptions | None = None) -> SpineFiles:
    """Return Parquet files as a spine, in the order of their names.

    Args:
        uri: a file, a folder whose Parquet files are meant, or a list of files, whose order is kept.
        options: storage options.

    Raises:
        InputError: there is no such file.
    """
    options = options_of(uri if isinstance(uri, str) else next(iter(uri), ""), options or {})
    files = list(uri) if not isinstance(uri, str) else [uri] if uri.endswith(".parquet") else _listed(uri, options)
    if not files:
        raise InputError(f"there are no Parquet files at {uri}: give a file, a folder of them, or a list of files")
    return SpineFiles(tuple(SpineFile(file, _rows(file, options)) for file in files), options)


def delta_spine(uri: str, version: int | None = None, options: StorageOptions | None = None) -> SpineFiles:
    """Return a Delta table as a spine, in the order of the names of its files.

    Args:
        uri: of the table.
        version: of its rows; None: the newest.
        options: storage options.

    Raises:
        InputError: there is no such table, or it uses what cannot be read here; says what.
    """
    options = options_of(uri, options or {})
    table = open_table(uri, options) if version is None else open_table(uri, options, version)
    if table is None:
        raise InputError(f"there is no Delta table at {uri}: give the folder that holds its _delta_log")
    used = [text for name, text in _UNREADABLE.items() if name in (table.protocol().reader_features or [])]
    if used:
        raise InputError(f"the Delta table at {uri} uses {' and '.join(used)}: write the spine to a table without")
    found = pl.DataFrame(table.get_add_actions(flatten=True)).sort("path")
    if found["num_records"].has_nulls():
        files = [f"{uri}/{path}" for path in found["path"]]
        found = found.with_columns(num_records=pl.Series([_rows(file, options) for file in files]))
    partitions = table.metadata().partition_columns
    schema = pl.Schema(table.schema())
    names = [f"partition.{name}" for name in partitions]
    files = tuple(
        SpineFile(f"{uri.rstrip('/')}/{path}", rows, values=dict(zip(partitions, values, strict=True)))
        for path, rows, *values in found.select("path", "num_records", *names).iter_rows()
    )
    if not files:
        return SpineFiles((), options)
    return SpineFiles(files, options, {name: schema[name] for name in partitions})


@dataclass(frozen=True)
class WriteSpine:
    """Writes rows to new files of a folder; can be pickled.

    Attributes:
        folder: of the files.
        options: storage options.
    """

    folder: str
    options: StorageOptions

    def __call__(self, frames: Iterable[pl.DataFrame]) -> list[SpineFile]:
        """Write frames, those that are small together, and return the files."""
        return [self._write(frame) for frame in _gathered(frames, PIECE_ROWS)]

    def _write(self, frame: pl.DataFrame) -> SpineFile:
        name = f"{uuid.uuid4().hex}.parquet"
        write_file(self.folder, self.options, name, frame)
        return SpineFile(f"{self.folder}/{name}", frame.height)


def _gathered(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Yield frames in their order, so many together that they have at least so many rows."""
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        if sum(each.height for each in waiting) >= rows:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def _rows(file: str, options: StorageOptions) -> int:
    with as_storage_errors(file, "the spine cannot be read"):
        try:
            rows = pl.scan_parquet(file, hive_partitioning=False, storage_options=dict(options) or None)
            return rows.select(pl.len()).collect().item()
        except (FileNotFoundError, pl.exceptions.ComputeError) as error:
            raise InputError(f"spine file {file} cannot be read ({error}): give Parquet files") from error


def _listed(uri: str, options: StorageOptions) -> list[str]:
    folder = local_folder(uri)
    if folder is not None:
        return sorted(str(path) for path in Path(folder).rglob("*.parquet"))
    remote: Any = DeltaFileSystemHandler(uri, dict(options))
    found = [each.path for each in remote.get_file_info_selector("", True, True) if each.is_file]
    return [f"{uri.rstrip('/')}/{path}" for path in sorted(found) if path.endswith(".parquet")]
