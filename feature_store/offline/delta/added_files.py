"""Files that we write ourselves, before the commit that lists them: their checksums are of what was to be written."""

from __future__ import annotations

import json
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any

import polars as pl
from arro3.core import Table
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake._internal import DeltaFileSystemHandler
from deltalake.transaction import AddAction

from feature_store.offline.delta.commits import StorageOptions
from feature_store.offline.delta.faults import as_storage_errors
from feature_store.offline.delta.paths import local_folder
from feature_store.offline.delta.s3_log import is_on_s3, object_of, pushed
from feature_store.offline.delta.stored_files import CHECKSUMS


@dataclass(frozen=True)
class AddedFile:
    """A file of a table.

    Attributes:
        path: relative to the table.
        size: bytes.
        crc: the CRC-32 of its bytes.
        day: of its rows.
        rows: their number.
    """

    path: str
    size: int
    crc: int
    day: date
    rows: int


def write_file(uri: str, options: StorageOptions, path: str, rows: pl.DataFrame) -> tuple[int, int]:
    """Write rows to a file of a table that no log lists yet; return its size and the CRC of what was to be written.

    Args:
        uri: where the table lies.
        options: storage options.
        path: relative to the table.
        rows: in types that Delta stores.
    """
    buffer = BytesIO()
    rows.write_parquet(buffer)
    content = buffer.getvalue()
    folder = local_folder(uri)
    with as_storage_errors(uri, "rows cannot be written"):
        if is_on_s3(uri):
            object_of(uri, options, path).upload(BytesIO(content))
        elif folder is None:
            stream: Any = DeltaFileSystemHandler(uri, dict(options)).open_output_stream(path)
            stream.write(content)
            stream.close()
        else:
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return len(content), zlib.crc32(content)


def add_days(uri: str, options: StorageOptions, rows: pl.DataFrame) -> Iterator[AddedFile]:
    """Write rows with ``day`` to a file a day."""
    for (day,), of_day in rows.group_by("day", maintain_order=True):
        assert isinstance(day, date)
        path = f"day={day}/{uuid.uuid4().hex}.parquet"
        size, crc = write_file(uri, options, path, of_day.drop("day"))
        yield AddedFile(path, size, crc, day, of_day.height)


def checksums_text(files: Iterable[AddedFile]) -> str:
    """Return what a commit says of the files that it adds: JSON of ``CHECKSUMS``."""
    listed = [(file.path, file.size, file.crc) for file in files]
    return pl.DataFrame(listed, schema=CHECKSUMS, orient="row").write_json()


def append_files(table: DeltaTable, like: pl.DataFrame, files: Sequence[AddedFile], commit: CommitProperties) -> None:
    """Append files to a table in one commit; columns that it lacks are added.

    Args:
        table: laid out by ``day``.
        like: has the columns of the files, and ``day``.
        files: that are added.
        commit: what is kept with the commit.
    """
    known = {field.name for field in table.schema().fields}
    fields = Schema.from_arrow(Table.from_arrow(like.head(0)).schema).fields
    with as_storage_errors(table, "rows cannot be written"), pushed(table):
        table.create_write_transaction(
            [_action(file) for file in files],
            "append",
            Schema([*table.schema().fields, *(field for field in fields if field.name not in known)]),
            partition_by=["day"],
            commit_properties=commit,
        )


def _action(file: AddedFile) -> AddAction:
    statistics = json.dumps({"numRecords": file.rows})
    at = time.time_ns() // 1_000_000
    return AddAction(file.path, file.size, {"day": str(file.day)}, at, data_change=True, stats=statistics)
