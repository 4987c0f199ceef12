"""Files of ours that are no tables, such as plans: what the system says of them, as an error of ours."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from feature_store.errors import StorageError


@contextmanager
def file_errors(place: object, problem: str) -> Generator[None]:
    """Raise what the system says of a file within as a ``StorageError``, but that it is not there.

    Args:
        place: the file or folder.
        problem: what is wrong then, e.g. ``it cannot be read``.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        where = "" if error.filename in (None, str(place)) else f": {error.filename}"
        raise StorageError(
            f"{place}: {problem} ({error.strerror or error}{where}). Instead: let this process read and write there, "
            "make room, or see that the disk is there"
        ) from error
