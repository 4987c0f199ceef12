"""What can go wrong with the folder of a table, short of a changed value: for tests of what users are told of it."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from deltalake import DeltaTable

from feature_store.offline.tables.partitioned_table import PartitionedTable
from tests.offline.damage import forget_checksums

NOBODY: Final = 65534
_ROOM: Final = 256
"""Bytes: less than any file of Parquet."""


def commits(table: Path) -> list[Path]:
    return sorted((table / "_delta_log").glob("*.json"))


def each_file(change: Callable[[Path], None]) -> Callable[[Path], None]:
    def change_all(table: Path) -> None:
        for file in table.rglob("*.parquet"):
            if file.parent.name != "_delta_log":
                change(file)

    return change_all


def spoil_files(table: Path) -> None:
    each_file(lambda file: file.write_bytes(b"x" * file.stat().st_size))(table)


def spoil_unknown(table: Path) -> None:
    """Leave the ledger as it was before it kept the checksums of files, and as many bytes as there were."""
    ledger = Path(f"{table}.ledger")
    if ledger.exists():
        forget_checksums(PartitionedTable(str(table), {}))
    spoil_files(table)


def spoil_checkpoint(table: Path) -> None:
    DeltaTable(str(table)).create_checkpoint()
    for file in (table / "_delta_log").glob("*.parquet"):
        file.write_bytes(b"no Parquet")


def replace_by_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("a file")


def turn_into_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def empty_folder(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "the newest commit is garbage": lambda table: commits(table)[-1].write_text("garbage\n"),
    "the newest commit is cut": lambda table: commits(table)[-1].write_bytes(commits(table)[-1].read_bytes()[:-40]),
    "the newest commit is empty": lambda table: commits(table)[-1].write_bytes(b""),
    "the newest commit adds a number": lambda table: commits(table)[-1].write_text('{"add": 3}\n'),
    "the newest commit is a folder": lambda table: turn_into_folder(commits(table)[-1]),
    "the first commit is missing": lambda table: commits(table)[0].unlink(),
    "all commits are missing": lambda table: empty_folder(table / "_delta_log"),
    "the checkpoint is no Parquet": spoil_checkpoint,
    "the log is a file": lambda table: replace_by_file(table / "_delta_log"),
    "the table is a file": replace_by_file,
    "files are missing": each_file(Path.unlink),
    "files are garbage": spoil_files,
    "files of unknown checksums are garbage": spoil_unknown,
    "files are empty": each_file(lambda file: file.write_bytes(b"")),
}
"""Of the files of a table."""


@contextmanager
def as_somebody_else(folder: Path, mode: int) -> Generator[None]:
    """Let this process be one that has only the rights that a folder grants to all."""
    before = folder.stat().st_mode
    folder.chmod(mode)
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(before)


@contextmanager
def little_room(_table: Path) -> Generator[None]:
    """Let no file grow beyond a few bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


TROUBLES: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    "the table may not be entered": lambda table: as_somebody_else(table, 0o600),
    "the table may not be written": lambda table: as_somebody_else(table, 0o555),
    "the log may not be read": lambda table: as_somebody_else(table / "_delta_log", 0o000),
    "the log may not be written": lambda table: as_somebody_else(table / "_delta_log", 0o555),
    "a commit may not be read": lambda table: as_somebody_else(commits(table)[-1], 0o000),
    "the disk is full": little_room,
}
"""Of the process and the place, while something is done."""


@contextmanager
def broken(table: Path, kind: str) -> Generator[None]:
    """Break a table in one way; undisturbed again afterwards is only what is not damaged."""
    if kind in DAMAGES:
        DAMAGES[kind](table)
    with TROUBLES.get(kind, lambda _: nullcontext())(table):
        yield


KINDS: Final = [*DAMAGES, *TROUBLES]
