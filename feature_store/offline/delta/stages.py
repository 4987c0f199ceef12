"""Stages: files of a table that no reader sees yet, until one commit lists all of them.

Staged files lie where they are to stay, under names that follow from the stage, and no Delta log lists them. A note
beside the table says which stage is under way. When the stage ends the files go, unless they were committed; those of a
process that died go when the next stage of the table begins. On a disk a lock on the note tells whether its process
lives. In an object store the note of another run is believed for ``LIFETIME``, after which nothing is committed any
more.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
from deltalake._internal import DeltaFileSystemHandler

from feature_store.fingerprints import record_digest
from feature_store.offline.delta.commits import StorageOptions, open_table, read_commits
from feature_store.offline.delta.faults import as_storage_errors
from feature_store.offline.delta.paths import local_folder, staged_file, stages_uri, table_name
from feature_store.offline.delta.s3_log import is_on_s3, object_of
from feature_store.temporal.durations import DAY

LIFETIME: Final = timedelta(days=1)
"""The longest a stage may last: what is older is never committed, and may be removed."""

STAGE: Final = "stage"
"""The tag of a commit that names the stage of which it lists the files."""


_DIGEST: Final = "digest"


@dataclass(frozen=True)
class Stage:
    """A stage of one table.

    Attributes:
        uri: where the table lies.
        name: of the stage; unique.
        run_id: of the run that stages.
        version: of the table when the run was planned; -1: it was never written.
        start: start of the first partition that is staged, microseconds.
        end: end of the last.
        cadence: span of a partition, microseconds.
        parts: how many tasks write each day.
        begun: seconds since the Unix epoch.
        has_folder: whether it keeps rows that it reads again in ``folder``.
    """

    uri: str
    name: str
    run_id: str
    version: int
    start: int
    end: int
    cadence: int
    parts: int
    begun: float
    has_folder: bool = False

    @property
    def folder(self) -> str:
        """Where rows lie that belong to nothing but the stage, and go with it."""
        return f"{stages_uri(self.uri)}/{self.name}"

    @property
    def is_over(self) -> bool:
        """Whether it has lasted too long to be committed."""
        return time.time() - self.begun > LIFETIME.total_seconds()

    def files(self) -> Iterator[str]:
        """Yield the names that its files may have, relative to the table."""
        for at in range(self.start // DAY * DAY, self.end, DAY if self.cadence % DAY else self.cadence):
            for part in range(self.parts):
                yield staged_file(self.name, at, part)


@contextmanager
def open_stage(
    uri: str,
    options: StorageOptions,
    run_id: str,
    version: int | None,
    start: int,
    end: int,
    cadence: int,
    parts: int = 1,
    *,
    has_folder: bool = False,
) -> Generator[Stage]:
    """Begin a stage, and end it with the block: then files that were not committed are gone.

    Args:
        uri: where the table lies.
        options: storage options.
        run_id: of the run that stages.
        version: of the table when the run was planned; None: it was never written.
        start: start of the first partition that is staged, microseconds.
        end: end of the last.
        cadence: span of a partition, microseconds.
        parts: how many tasks write each day.
        has_folder: whether the stage keeps rows in its folder.
    """
    base = -1 if version is None else version
    stage = Stage(uri, uuid.uuid4().hex, run_id, base, start, end, cadence, parts, time.time(), has_folder)
    with as_storage_errors(uri, "nothing can be staged there"):
        remove_abandoned(uri, options, run_id)
        lock = _write_note(stage, options)
    try:
        yield stage
    finally:
        with as_storage_errors(uri, "what was staged cannot be removed"):
            _settle(stage, options)
        if lock is not None:
            os.close(lock)


def remove_abandoned(uri: str, options: StorageOptions, run_id: str) -> None:
    """Remove what stages of dead processes left, unless it was committed.

    Args:
        uri: where the table lies.
        options: storage options.
        run_id: of the run that asks: one run stages a table once at a time, so an earlier stage of it is dead.
    """
    for stage in _noted(uri, options):
        note = _local_note(stage)
        if note is None:
            if stage.is_over or stage.run_id == run_id:
                _settle(stage, options)
            continue
        with suppress(FileNotFoundError), note.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            _settle(stage, options)


def _settle(stage: Stage, options: StorageOptions) -> None:
    """Remove a stage's note, and its files if no commit since its beginning lists them."""
    if not _is_committed(stage, options):
        _delete(stage.uri, options, stage.files())
    if stage.has_folder:
        delete_folder(stage.folder, options)
    _delete(stages_uri(stage.uri), options, [_note(stage)])


def delete_folder(uri: str, options: StorageOptions) -> None:
    """Delete a folder with all that lies below it, if it is there."""
    folder = local_folder(uri)
    if folder is not None:
        if folder.exists():
            shutil.rmtree(folder)
        return
    remote: Any = DeltaFileSystemHandler(uri, dict(options))
    for each in remote.get_file_info_selector("", True, True):
        if each.is_file:
            remote.delete_file(each.path)


def _delete(uri: str, options: StorageOptions, files: Iterable[str]) -> None:
    """Delete those of some files of a folder that are there."""
    folder = local_folder(uri)
    if folder is not None:
        for file in files:
            (folder / file).unlink(missing_ok=True)
        return
    remote = DeltaFileSystemHandler(uri, dict(options))
    for file in files:
        with suppress(FileNotFoundError):
            remote.delete_file(file)


def _is_committed(stage: Stage, options: StorageOptions) -> bool:
    table = open_table(stage.uri, options)
    if table is None:
        return False
    fields = pl.Schema({"delta_version": pl.Int64(), STAGE: pl.String()})
    later = range(stage.version + 1, table.version() + 1)
    return stage.name in read_commits(stage.uri, options, later, fields)[STAGE]


def _noted(uri: str, options: StorageOptions) -> list[Stage]:
    """Return the stages of a table that are noted."""
    folder = local_folder(stages_uri(uri))
    if folder is not None:
        notes = [(path.stem, _text(path)) for path in folder.glob("*.json")]
        found = [_stage_of(uri, name, text) for name, text in notes if text]  # one without a text just begins
        return [stage for stage in found if stage is not None]
    remote: Any = DeltaFileSystemHandler(stages_uri(uri), dict(options))
    found: list[Stage | None] = []
    for each in remote.get_file_info_selector("", True, True):
        if each.is_file and re.fullmatch(r"[^/]+\.json", each.path):  # below lie the folders of stages
            with suppress(FileNotFoundError):  # the stage just ended
                file = remote.open_input_file(each.path)
                found.append(_stage_of(uri, Path(each.path).stem, bytes(file.read(file.size())).decode()))
    return [stage for stage in found if stage is not None]


def _stage_of(uri: str, name: str, text: str) -> Stage | None:
    """Return the stage that a note describes; None: the note is not what was written, and nothing is removed by it."""
    try:
        record = json.loads(text)
        digest = record.pop(_DIGEST, None)  # notes of before there were digests have none
        stage = Stage(**record)
    except (ValueError, TypeError, AttributeError):
        return None
    is_own = digest is None or digest == record_digest(table_name(uri), record)
    return stage if is_own and stage.name == name else None


def _text(path: Path) -> str:
    with suppress(FileNotFoundError):  # the stage just ended
        return path.read_text()
    return ""


def _write_note(stage: Stage, options: StorageOptions) -> int | None:
    """Write the note of a stage; on a disk, return the file whose lock says that this process lives."""
    record = {**asdict(stage), _DIGEST: record_digest(table_name(stage.uri), asdict(stage))}
    note = _local_note(stage)
    if note is None:
        if is_on_s3(stage.uri):
            object_of(stages_uri(stage.uri), options, _note(stage)).write_bytes(json.dumps(record).encode())
            return None
        stream: Any = DeltaFileSystemHandler(stages_uri(stage.uri), dict(options)).open_output_stream(_note(stage))
        stream.write(json.dumps(record).encode())
        stream.close()
        return None
    note.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(note, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.write(lock, json.dumps(record).encode())
    return lock


def _local_note(stage: Stage) -> Path | None:
    folder = local_folder(stages_uri(stage.uri))
    return None if folder is None else folder / _note(stage)


def _note(stage: Stage) -> str:
    return f"{stage.name}.json"
