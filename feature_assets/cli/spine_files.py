"""Spine files in, training-set files out: CSV and Parquet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow.parquet

from feature_assets.cli.times import not_an_instant
from feature_store import DType, Int64
from feature_store.engines.polars.frames import read_frame, translated
from feature_store.errors import InputError

_ISO_8601: Final = r"^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}(?::?\d{2})?)$"
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S%.f%z"
_CSV_TIME: Final = "%Y-%m-%dT%H:%M:%S%.6f"


def read_spine(path: Path, keys: Mapping[str, DType], time_column: str) -> pl.DataFrame:
    """Read a spine. Of a CSV file, keys get their types and times become UTC; all other columns stay text.

    Args:
        path: ``.csv`` or ``.parquet``.
        keys: key columns and their types.
        time_column: column of T; in CSV ``2026-01-31T06:00:00Z`` or with another offset.

    Raises:
        InputError: the file is not there or not readable, names a column twice, or a key or time is none; names the
            column and row.
    """
    check_suffix(path, "--spine")
    if not path.is_file():
        raise InputError(f"--spine {path}: there is no such file")
    with translated(f"--spine {path} cannot be read", "write the file again, or name another one"):
        if path.suffix == ".parquet":
            # Polars does not read times with a fixed offset, which pandas writes.
            return read_frame(pyarrow.parquet.ParquetFile(path).read(), f"--spine {path}")
        header = pl.read_csv(path, has_header=False, n_rows=1, infer_schema=False).row(0)
        frame = pl.read_csv(path, infer_schema=False)
    for name in header:
        if header.count(name) > 1:
            raise InputError(f"--spine {path}: two columns are called {name or ''!r}: rename one")
    frame.columns = [name or "" for name in header]  # of a header Polars leaves doubled quotes as they are
    typed = [_integers(path, frame[name]) for name, dtype in keys.items() if dtype == Int64 and name in frame.columns]
    times = [_times(path, frame[time_column])] if time_column in frame.columns else []
    return frame.with_columns(*typed, *times)


def write_rows(frame: pl.DataFrame, path: Path) -> None:
    """Write rows to a ``.csv`` or ``.parquet`` file whole.

    In CSV lists and arrays are JSON, and times are ISO 8601 with their offset, within lists too.

    Raises:
        InputError: the file cannot be written there.
    """
    check_out(path)
    partial = path.with_name(f".{path.name}.partial")
    with translated(f"--out {path} cannot be written", "make room for it there, or name another file"):
        if path.suffix == ".parquet":
            frame.write_parquet(partial)
        else:
            frame.with_columns(map(_cells, frame.iter_columns())).write_csv(partial)
        partial.replace(path)


def check_out(path: Path) -> None:
    """Refuse a file that could not be written, before anything is computed for it."""
    check_suffix(path, "--out")
    if not path.parent.is_dir():
        raise InputError(f"--out {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise InputError(f"--out {path}: there is a folder of that name")


def check_columns(schema: pl.Schema, out: Path) -> None:
    """Refuse columns that a CSV file cannot hold."""
    for name, dtype in schema.items() if out.suffix == ".csv" else ():
        element = dtype.inner if isinstance(dtype, pl.List | pl.Array) else dtype
        if element.is_nested() or element in (pl.Binary, pl.Duration, pl.Object):
            raise InputError(f"--out {out} cannot hold column {name!r}, a {dtype}: name a .parquet file")


def check_suffix(path: Path, option: str) -> None:
    """Refuse a file of a kind that is not known."""
    if path.suffix not in (".csv", ".parquet"):
        raise InputError(f"{option} {path}: name a .csv or .parquet file")


def _integers(path: Path, column: pl.Series) -> pl.Series:
    numbers = column.cast(pl.Int64, strict=False)
    row = _first_bad(column, numbers)
    if row is not None:
        raise InputError(f"{_place(path, row)} {column.name} {column[row]!r} is not a whole number")
    return numbers


def _times(path: Path, column: pl.Series) -> pl.Series:
    day, minute, second, zone = (column.str.extract(_ISO_8601, group) for group in range(1, 5))
    offset = zone.replace("Z", "+00:00").str.replace(r"^([+-]\d{2})$", "${1}:00")
    spelt = pl.select(pl.concat_str(day, pl.lit("T"), minute, second.fill_null(":00"), offset)).to_series()
    times = spelt.str.to_datetime(_TIME_FORMAT, time_unit="us", time_zone="UTC", strict=False)
    row = _first_bad(column, times)
    if row is not None:
        raise not_an_instant(column[row], f"{_place(path, row)} {column.name}")
    return times.alias(column.name)


def _first_bad(given: pl.Series, understood: pl.Series) -> int | None:
    bad = given.is_not_null() & understood.is_null()
    return bad.arg_max() if bad.any() else None


def _place(path: Path, row: int) -> str:
    return f"--spine {path}, row {row + 1}:"


def _cells(column: pl.Series) -> pl.Series:
    """Return a column as CSV can hold it and the spine's own reader understands it."""
    if isinstance(column.dtype, pl.Datetime):
        offset = "" if column.dtype.time_zone is None else "%:z"
        return column.dt.strftime(f"{_CSV_TIME}{offset}")
    if not isinstance(column.dtype, pl.List | pl.Array):
        return column
    texts = [None if cell is None else json.dumps(cell, default=_json_text) for cell in column.to_list()]
    return pl.Series(column.name, texts, pl.String)


def _json_text(value: object) -> str:
    """Return what JSON has no spelling for, times and decimals, as text."""
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else str(value)
