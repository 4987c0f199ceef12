"""Spine files in, training-set files out: CSV and Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from feature_store import DType, Int64
from feature_store.errors import InputError

_WITH_ZONE = r"(Z|[+-]\d{2}:?\d{2})$"
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.f%z"
_CSV_TIME = "%Y-%m-%dT%H:%M:%S%.6f%:z"


def read_spine(path: Path, keys: Mapping[str, DType], time_column: str) -> pl.DataFrame:
    """Read a spine; the key columns of a CSV file get the types of the keys, its times become UTC.

    Args:
        path: ``.csv`` or ``.parquet``.
        keys: key columns and their types.
        time_column: column of T; in CSV ``2017-11-05T06:00:00Z`` or with another offset.

    Raises:
        InputError: the file is not there or not readable, or a key or time is none; names the column and row.
    """
    check_suffix(path, "--spine")
    if not path.is_file():
        raise InputError(f"--spine {path}: there is no such file")
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        frame = pl.read_csv(path, schema_overrides=dict.fromkeys([*keys, time_column], pl.String()))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"--spine {path} cannot be read: {str(error).splitlines()[0]}") from error
    typed = [_integers(path, frame[name]) for name, dtype in keys.items() if dtype == Int64 and name in frame.columns]
    times = [_times(path, frame[time_column])] if time_column in frame.columns else []
    return frame.with_columns(*typed, *times)


def write_rows(frame: pl.DataFrame, path: Path) -> None:
    """Write rows to a ``.csv`` (vectors as ``[1.0, 0.0]``, times with their zone) or ``.parquet`` file whole.

    Raises:
        InputError: the file cannot be written there.
    """
    check_out(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        if path.suffix == ".parquet":
            frame.write_parquet(partial)
        else:
            vectors = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
            frame.with_columns(_vector_text(name) for name in vectors).write_csv(partial, datetime_format=_CSV_TIME)
        partial.replace(path)
    except OSError as error:
        raise InputError(f"--out {path} cannot be written: {error}") from error


def check_out(path: Path) -> None:
    """Refuse a file that could not be written, before anything is computed for it."""
    check_suffix(path, "--out")
    if not path.parent.is_dir():
        raise InputError(f"--out {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise InputError(f"--out {path}: there is a folder of that name")


def check_suffix(path: Path, option: str) -> None:
    """Refuse a file of a kind that is not known."""
    if path.suffix not in (".csv", ".parquet"):
        raise InputError(f"{option} {path}: name a .csv or .parquet file")


def _integers(path: Path, column: pl.Series) -> pl.Series:
    numbers = column.cast(pl.Int64, strict=False)
    _refuse(path, column, numbers.is_null(), "is not a whole number")
    return numbers


def _times(path: Path, column: pl.Series) -> pl.Series:
    _refuse(path, column, ~column.str.contains(_WITH_ZONE), "has no time zone: write 2017-11-05T06:00:00Z")
    iso = column.str.replace("Z$", "+00:00").str.replace(" ", "T", literal=True)
    times = iso.str.to_datetime(_TIME_FORMAT, time_unit="us", time_zone="UTC", strict=False)
    _refuse(path, column, times.is_null(), "is not a time: write 2017-11-05T06:00:00Z")
    return times


def _refuse(path: Path, given: pl.Series, bad: pl.Series, problem: str) -> None:
    rows = (given.is_not_null() & bad).arg_true()
    if len(rows):
        row = int(rows[0])
        raise InputError(f"--spine {path}, row {row + 1}: {given.name} {given[row]!r} {problem}")


def _vector_text(name: str) -> pl.Expr:
    elements = pl.col(name).cast(pl.List(pl.String)).list.join(", ")
    return pl.format("[{}]", elements).alias(name)
