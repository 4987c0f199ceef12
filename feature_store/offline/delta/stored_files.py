"""The files of a table as they lie in the store: sizes and checksums, compared before anything is read from them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import polars as pl
from deltalake import DeltaTable
from deltalake._internal import DeltaFileSystemHandler

from feature_store.offline.delta.commits import StorageOptions, damaged_log, read_actions
from feature_store.offline.delta.faults import as_damage, as_storage_errors, storage_error, told

CHECKSUMS: Final = pl.Schema({"path": pl.String, "size": pl.Int64, "crc": pl.Int64})
"""The facts of a file that a ledger keeps: its size and the CRC-32 of its bytes, as they were written."""

_AT_ONCE: Final = 8 * 2**20
_READERS: Final = 8

_checked: Final[set[tuple[str, str, int]]] = set()
"""Table, path and CRC of the files whose bytes this process found as they were written."""


def files_of(table: DeltaTable) -> pl.DataFrame:
    """Return what the log says of the files of a table at the version at which it is open.

    Returns:
        ``path`` (relative to the table), ``day``, ``size`` and ``rows`` (null: not said).
    """
    uri = table.table_uri.rstrip("/")
    with as_damage(uri, lambda said: damaged_log(uri, f"it cannot be read ({said})")):
        added = pl.DataFrame(table.get_add_actions(flatten=True))
    day = pl.col("partition.day").cast(pl.Date).alias("day")
    rows = pl.col("num_records") if "num_records" in added.columns else pl.lit(None, pl.Int64)
    return added.select("path", day, pl.col("size_bytes").alias("size"), rows.cast(pl.Int64).alias("rows"))


def known_files(table: DeltaTable, entries: pl.DataFrame) -> pl.DataFrame:
    """Return the files of a table at the version at which it is open, and what its ledger says of them.

    Args:
        table: the table.
        entries: ``files`` (JSON of ``CHECKSUMS``) and ``delta_version`` of commits.

    Returns:
        ``path``, ``day``, ``size``, ``rows``, ``crc`` and ``added_by``, the version that added it. What is not known is
        null: of files that are older than that, or of which the log says nothing.
    """
    texts = entries.drop_nulls("files").select("files", pl.col("delta_version").alias("added_by"))
    decoded = texts.with_columns(pl.col("files").str.json_decode(pl.List(pl.Struct(CHECKSUMS))))
    known = decoded.explode("files", empty_as_null=False).unnest("files").unique("path", keep="last")
    return files_of(table).join(known.select("path", "crc", "added_by"), on="path", how="left").sort("day", "path")


def checksums_of(uri: str, options: StorageOptions, versions: list[int]) -> pl.DataFrame:
    """Return ``delta_version`` and ``files`` (JSON of ``CHECKSUMS``): what some commits added and is still there."""
    added = read_actions(uri, options, versions, "add", pl.Schema({"path": pl.String, "size": pl.Int64}))
    store = DeltaFileSystemHandler(uri, dict(options))

    def crc(path: str) -> int | None:
        try:
            return _crc(store, path)
        except FileNotFoundError:
            return None

    with as_storage_errors(uri, "its files cannot be read"), ThreadPoolExecutor(_READERS) as readers:
        found = pl.Series("crc", list(readers.map(crc, added["path"])), pl.Int64)
    known = added.with_columns(found).drop_nulls("crc")
    texts = [
        (version, of_version.select(CHECKSUMS.names()).write_json())
        for (version,), of_version in known.group_by("delta_version", maintain_order=True)
    ]
    return pl.DataFrame(texts, schema={"delta_version": pl.Int64, "files": pl.String}, orient="row")


def damaged_files(uri: str, options: StorageOptions, files: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield the files that are not as they were written, and what is wrong with each.

    Sizes are compared every time; bytes once per file and process, where their checksum is known.

    Args:
        uri: where the table lies.
        options: storage options.
        files: ``path``, ``size`` and ``crc`` (null: not known).

    Raises:
        StorageError: one cannot be read now.
    """
    store = DeltaFileSystemHandler(uri, dict(options))

    def problem_of(path: str, size: int, crc: int | None) -> str | None:
        try:
            found = store.open_input_file(path).size()
            if found != size:
                return f"it has {found} bytes, {size} were written"
            if crc is not None and (uri, path, crc) not in _checked:
                if _crc(store, path) != crc:
                    return "its bytes are others than were written"
                _checked.add((uri, path, crc))
        except FileNotFoundError:
            return "it is missing"
        except OSError as problem:
            trouble = storage_error(problem, f"{uri}/{path}", "it cannot be read")
            if trouble is not None:
                raise trouble from problem
            return f"it cannot be read ({told(problem)})"
        return None

    with ThreadPoolExecutor(_READERS) as readers:
        problems = readers.map(problem_of, files["path"], files["size"], files["crc"])
        yield from ((path, problem) for path, problem in zip(files["path"], problems, strict=True) if problem)


def _crc(store: DeltaFileSystemHandler, path: str) -> int:
    file = store.open_input_file(path)
    crc, left = 0, file.size()
    while left > 0:
        piece = file.read(min(left, _AT_ONCE))
        if not piece:
            break
        crc, left = zlib.crc32(piece, crc), left - len(piece)
    return crc
