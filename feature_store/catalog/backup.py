"""The whole catalog as one file of JSON lines, the same for every database: a header, the rows, and their digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from feature_store.catalog.database import NEWEST, reading, writing
from feature_store.catalog.rows import PRODUCTION, head
from feature_store.catalog.schema import METADATA
from feature_store.errors import InputError

_FORMAT: Final = 1
_AT_ONCE: Final = 1000


def write_backup(engine: sa.Engine, file: Path) -> int:
    """Write everything, of one moment; return the number of the newest revision.

    Raises:
        InputError: the file exists, or cannot be written.
    """
    try:
        with reading(engine) as connection, file.open("x") as out:
            revision, digest = head(connection, PRODUCTION), hashlib.blake2b(digest_size=16)
            for line in _lines(connection, revision):
                out.write(line)
                digest.update(line.encode())
            out.write(json.dumps({"digest": digest.hexdigest()}) + "\n")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error}") from error
    return revision


def read_backup(engine: sa.Engine, file: Path) -> int:
    """Fill an empty catalog from a backup, in one transaction; return the number of the newest revision.

    Raises:
        InputError: the catalog is not empty, or the file is no whole backup of this release.
    """
    header, rows = _read(file)
    with writing(engine) as connection:
        held = [table.name for table in METADATA.sorted_tables if connection.execute(sa.select(table).limit(1)).first()]
        if held:
            raise InputError(f"the catalog is not empty: it has {', '.join(held)}. Restore into a new one")
        for table in METADATA.sorted_tables:
            of_table = [row["row"] for row in rows if row["table"] == table.name]
            for place in range(0, len(of_table), _AT_ONCE):
                connection.execute(sa.insert(table), of_table[place : place + _AT_ONCE])
    return header["revision"]


def _lines(connection: sa.Connection, revision: int) -> Iterator[str]:
    yield json.dumps({"format": _FORMAT, "schema": NEWEST, "revision": revision}) + "\n"
    for table in METADATA.sorted_tables:
        keys = list(table.primary_key.columns)
        for row in connection.execute(sa.select(table).order_by(*keys)).mappings():
            yield json.dumps({"table": table.name, "row": dict(row)}, ensure_ascii=False) + "\n"


def _read(file: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        *lines, last = file.read_text().splitlines(keepends=True)
        records: list[dict[str, Any]] = [json.loads(line) for line in lines]
        digest = json.loads(last)["digest"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{file} is no backup of a catalog: {error}") from error
    if digest != hashlib.blake2b("".join(lines).encode(), digest_size=16).hexdigest():
        raise InputError(f"{file} is damaged: its digest is another one. Take another backup")
    header, *rows = records
    if (header["format"], header["schema"]) != (_FORMAT, NEWEST):
        raise InputError(f"{file} is of another release (schema {header['schema']}): restore it with that one")
    return header, rows
