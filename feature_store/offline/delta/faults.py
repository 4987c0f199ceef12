"""What disks, object stores and the libraries beneath us raise, as errors of ours: the two doors of everything stored.

*Storage*: what may be well again though nothing stored is mended: rights, room, a network, a mount. ``StorageError``;
who retries tries it again. *Damage*: what is there, or should be, and cannot be right. The caller says which error that
is, since repairs rest upon it; so trouble of the storage never passes for damage.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from polars.io.plugins import register_io_source

from feature_store.errors import ConflictError, FeatureStoreError, StorageError

_LIBRARIES: Final = (DeltaError, pl.exceptions.PolarsError, OSError, ValueError)
"""What libraries raise; also ``Exception`` itself, and panics, of which each has a class of its own."""

_LONGEST: Final = 300
"""Characters of what a library says: Delta's kernel tells whole directory listings."""

_CODE: Final = re.compile(r"os error (\d+)|\[Errno (\d+)\]|Os \{ code: (\d+)")

_CURES: Final[list[tuple[frozenset[int], str, str]]] = [
    (
        frozenset({errno.EPERM, errno.EACCES, errno.EROFS}),
        r"lacked (the necessary privileges|valid authentication)|403 Forbidden|401 Unauthorized",
        "let this process read and write there, and run again",
    ),
    (
        frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG}),
        r"507 Insufficient Storage",
        "make room there and run again; what was stored before is whole",
    ),
    (
        frozenset({errno.ENOMEM, errno.EMFILE, errno.ENFILE}),
        r"Too many open files",
        "let this process open more files, and run again",
    ),
    (
        frozenset(
            {
                *(errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.ENOTCONN, errno.EREMOTEIO, errno.ETIMEDOUT),
                *(errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH),
            }
        ),
        r"Error performing |error sending request|operation timed out|dns error",
        "see that the disk or the store is there and can be reached, and run again",
    ),
    (frozenset(), r"invalid value for '", "correct the storage options"),
]
"""What to do about trouble of the storage, by the code of the system or by what is said.

What is said may name a table, so a pattern is more than one word.
"""

_GONE: Final = re.compile(r"os error 2\b|Object at location .* not found", re.DOTALL)


class LostCommitError(ConflictError):
    """Another commit came first, and nothing was written: the same commit may succeed now."""


@contextmanager
def as_storage_errors(table: str | DeltaTable, problem: str) -> Generator[None]:
    """Raise what a library raises within, where something is stored, as an error of ours.

    Args:
        table: the table, or where it lies.
        problem: what is wrong then, e.g. ``rows cannot be written``.

    Raises:
        LostCommitError: a concurrent commit came first.
        StorageError: anything else went wrong.
    """
    place = table if isinstance(table, str) else table.table_uri.rstrip("/").removeprefix("file://")
    try:
        yield
    except BaseException as error:
        if not _is_foreign(error):
            raise
        if isinstance(error, CommitFailedError):
            raise LostCommitError(
                f"{place}: other runs wrote there at the same time ({told(error)}). Nothing was written: run again"
            ) from error
        again = "run again; if that does not help, see what `features verify` says, or put its folder back"
        raise storage_error(error, place, problem) or _storage_error(error, place, problem, again) from error


@contextmanager
def as_damage(place: str, damaged: Callable[[str], FeatureStoreError]) -> Generator[None]:
    """Raise what a library raises within, where something stored is read, as an error of ours.

    Args:
        place: what is read.
        damaged: called with what was said, returns the error that it is damaged.

    Raises:
        StorageError: it is not known whether it is.
    """
    try:
        yield
    except BaseException as error:
        if not _is_foreign(error):
            raise
        raise storage_error(error, place, "it cannot be read") or damaged(told(error)) from error


def storage_error(error: BaseException, place: str, problem: str) -> StorageError | None:
    """Return the error that the storage is in trouble; None: an error does not tell of that."""
    said = str(error)
    if isinstance(error, FileNotFoundError) or _GONE.search(said):
        return None
    codes = {int(code) for found in _CODE.findall(said) for code in found if code}
    codes |= {error.errno} if isinstance(error, OSError) and error.errno is not None else set()
    for of_trouble, pattern, cure in _CURES:
        if codes & of_trouble or re.search(pattern, said):
            return _storage_error(error, place, problem, cure)
    return None


def told(error: BaseException) -> str:
    """Return on one line what an error says, without colours and stack."""
    plain = re.sub(r"\x1b\[[0-9;]*m|^\s*(\d+: .*|at .*)$", "", str(error), flags=re.MULTILINE)
    text = " ".join(plain.split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def guarded(rows: pl.LazyFrame, place: str, damaged: Callable[[str], FeatureStoreError]) -> pl.LazyFrame:
    """Return rows that raise as by ``as_damage``, whoever collects them; filters on them decide what is read."""

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, most: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        asked = rows if predicate is None else rows.filter(predicate)
        asked = asked if columns is None else asked.select(columns)
        with as_damage(place, damaged):
            found = (asked if most is None else asked.head(most)).collect(engine="in-memory")
        yield found

    return register_io_source(read, schema=rows.collect_schema(), is_pure=True)


def _storage_error(error: BaseException, place: str, problem: str, cure: str) -> StorageError:
    return StorageError(f"{place}: {problem} ({told(error)}). Instead: {cure}.")


def _is_foreign(error: BaseException) -> bool:
    if isinstance(error, FeatureStoreError):
        return False
    return isinstance(error, _LIBRARIES) or type(error) is Exception or type(error).__name__ == "PanicException"
