"""Errors that no part of ours raised: of the disk, a database, a library. People get one line, not our stack."""

from __future__ import annotations

from typing import Final

from feature_assets.backfill.stage_error import StageError
from feature_store.errors import FeatureStoreError

_LIBRARIES: Final = frozenset(
    {
        *("polars", "pyo3_runtime", "deltalake", "_internal", "pyarrow", "arro3", "pandas"),
        *("sqlalchemy", "sqlite3", "psycopg2", "alembic", "redis", "dagster", "yaml"),
    }
)
"""The packages whose errors tell of the world rather than of a mistake of ours."""


def told(error: BaseException) -> str | None:
    """Return what to say of an error that a command raised; None: it is a mistake of ours, whose stack is needed."""
    if isinstance(error, FeatureStoreError):
        return str(error)
    if isinstance(error, StageError) and error.__cause__ is not None:
        return told(error.__cause__)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        cure = "make it readable and writable for this process, or make room"
        return f"{place}{error.strerror or error}. Instead: {cure}"
    if type(error).__module__.partition(".")[0] in _LIBRARIES:
        return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"
    return None
