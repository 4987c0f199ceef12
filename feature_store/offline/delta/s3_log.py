"""The log of a table on S3, read and grown in few requests, whatever the age of the table.

delta-rs reads every commit twice, and a checkpoint in a dozen pieces. So the newest checkpoint and the commits after it
are fetched whole into a folder of this machine, and delta-rs works there; what it added is then put on S3: data first,
then the commit, by a conditional put. Of two writers of a version one wins; the other sees it, and nothing of it is
listed. A checkpoint follows each commit, so that the next reader fetches one object.
"""

from __future__ import annotations

import json
import re
import shutil
import weakref
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import polars as pl
from deltalake import DeltaTable

from feature_store.errors import StorageError
from feature_store.offline.delta.faults import LostCommitError
from feature_store.s3.paths import S3Path, place_of

_LOG: Final = "_delta_log"
_HINT: Final = "_last_checkpoint"
_READERS: Final = 8
_ENTRY: Final = re.compile(r"(\d{20})\.(json|checkpoint\.parquet)")


class MirroredTable(DeltaTable):
    """A table on S3 whose log lies in a folder of this machine; its data lies on S3 alone.

    Args:
        place: of the table on S3.
        folder: holds the log; it goes with the table.
        version: at which it is opened; None: its newest.
    """

    def __init__(self, place: S3Path, folder: Path, version: int | None = None) -> None:
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        super().__init__(folder, version=version)
        self.place = place
        self.folder = folder

    @property
    def table_uri(self) -> str:
        """Where the table lies on S3."""
        return str(self.place)


def is_on_s3(uri: str) -> bool:
    """Whether a table is opened by ``open_mirrored``."""
    return uri.startswith("s3://")


def object_of(uri: str, options: Mapping[str, str], path: str) -> S3Path:
    """Return an object below a place on S3."""
    place = place_of(uri, options)
    assert isinstance(place, S3Path)
    return place / path


def open_mirrored(uri: str, options: Mapping[str, str], version: int | None = None) -> MirroredTable | None:
    """Return a table on S3 at its newest or a given version; None: it was never written, or never had that version.

    Raises:
        StorageError: its log cannot be read now.
    """
    log = object_of(uri, options, _LOG)
    hint = _hinted(log)
    hint = hint if version is None or hint <= version else 0
    names = _listed(log, hint, version)
    if hint and not any(name.endswith(".parquet") for name in names):  # what is hinted at is gone
        names = _listed(log, 0, version)
    if not names:
        return None
    with ThreadPoolExecutor(_READERS) as readers:
        contents = dict(zip(names, readers.map(S3Path.read_bytes, [log / name for name in names]), strict=True))
    folder = Path(mkdtemp(prefix="features-log-"))
    local = folder / _LOG
    local.mkdir()
    for name, content in contents.items():
        (local / name).write_bytes(content)
        if name.endswith(".parquet"):  # delta-rs wants to see the commit of a checkpoint, and reads nothing of it
            (local / name.replace(".checkpoint.parquet", ".json")).touch()
    return MirroredTable(log.parent, folder, version)


def read_rows(table: DeltaTable) -> pl.DataFrame:
    """Return all rows of a small table."""
    if not isinstance(table, MirroredTable):
        return pl.scan_delta(table).collect()
    like = pl.DataFrame(schema=pl.Schema(table.schema()))
    paths = pl.DataFrame(table.get_add_actions(flatten=True))["path"].to_list()

    def read(path: str) -> pl.DataFrame:
        return pl.read_parquet((table.place / path).read_bytes())

    with ThreadPoolExecutor(_READERS) as readers:
        return pl.concat([like, *readers.map(read, paths)], how="diagonal").select(like.columns)


@contextmanager
def pushed(table: DeltaTable) -> Generator[None]:
    """Put on S3 what delta-rs adds to a table within: its files, then its commit. Tables elsewhere are left alone.

    Raises:
        LostCommitError: somebody else committed that version.
        StorageError: something cannot be written; it is not known whether the commit was made.
    """
    if not isinstance(table, MirroredTable):
        yield
        return
    before = set(_files(table.folder))
    yield
    added = sorted(set(_files(table.folder)) - before)
    commits = [path for path in added if path.parent.name == _LOG and path.suffix == ".json"]
    for path in added:
        if path.parent.name != _LOG:
            with path.open("rb") as content:
                (table.place / path.relative_to(table.folder).as_posix()).upload(content)
            path.unlink()
    for path in commits:
        _put_commit(table.place / _LOG / path.name, path.read_bytes())
    if commits:
        _checkpoint(table)


def beside_mirror(table: DeltaTable) -> DeltaTable:
    """Return a table as delta-rs opens it by itself, for what needs more than its log: to compact, vacuum, delete."""
    if not isinstance(table, MirroredTable):
        return table
    return DeltaTable(table.table_uri, version=table.version(), storage_options=dict(table.place.options))


def _hinted(log: S3Path) -> int:
    """Return the version of a checkpoint that is said to be the newest; 0: none is."""
    try:
        return int(json.loads((log / _HINT).read_bytes())["version"])
    except (FileNotFoundError, ValueError, LookupError, TypeError):  # it is only a hint
        return 0


def _listed(log: S3Path, first: int, last: int | None) -> list[str]:
    """Return the newest checkpoint of the versions from a first to a last one, and the commits after it."""
    found = [_ENTRY.fullmatch(path.name) for path in log.iterdir(after=f"{first:020d}" if first else "")]
    entries = [(int(each[1]), each[2], each[0]) for each in found if each is not None]
    entries = [each for each in entries if last is None or each[0] <= last]
    newest = max((version for version, kind, _ in entries if kind != "json"), default=-1)
    return [name for version, kind, name in entries if (version > newest if kind == "json" else version == newest)]


def _files(folder: Path) -> Generator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _put_commit(place: S3Path, content: bytes) -> None:
    try:
        place.replace_bytes(content, None)
    except FileExistsError as error:
        if place.read_bytes() != content:  # else it is ours, and the answer to it was lost
            raise LostCommitError(
                f"{place}: other runs wrote there at the same time. Nothing was written: run again"
            ) from error


def _checkpoint(table: MirroredTable) -> None:
    """Put a checkpoint beside the newest commit; without it, the next reader fetches an object more."""
    table.update_incremental()
    table.create_checkpoint()
    log = table.folder / _LOG
    with suppress(StorageError):
        for name in (f"{table.version():020d}.checkpoint.parquet", _HINT):
            (table.place / _LOG / name).write_bytes((log / name).read_bytes())
