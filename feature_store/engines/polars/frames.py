"""Rows that users hand in, from whatever library, as Polars frames: the one edge where foreign errors become ours."""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, Final, cast

import polars as pl
from arro3.core import ChunkedArray, DataType, Field, Schema, Table

from feature_store.columns import is_missing
from feature_store.errors import FeatureStoreError, InputError

CONTAINERS: Final = (
    "a Polars frame (lazy or not), a pandas frame, an Arrow table, a dictionary of columns or a list of dictionaries"
)

_ARROW: Final[Any] = Table
"""Its constructors are typed with bare arrays, which strict checks refuse."""


@contextmanager
def translated(what: str, instead: str) -> Generator[None]:
    """Raise whatever a library raises within, its panics too, as an ``InputError``; ours are left as they are.

    Args:
        what: what is wrong where, e.g. ``the spine cannot be read``.
        instead: what to do about it.
    """
    try:
        yield
    except FeatureStoreError:
        raise
    except BaseException as error:  # panics are no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        lines = str(error).splitlines() or [type(error).__name__]
        raise InputError(f"{what}: {lines[0].rstrip('.')}. Instead: {instead}.") from error


def read_frame(rows: Any, what: str) -> pl.DataFrame:
    """Return rows as a Polars frame, in their order; times with an offset are the same instants in UTC.

    Args:
        rows: see ``CONTAINERS``.
        what: what messages call them, e.g. ``the spine``.

    Raises:
        InputError: they are something else, or cannot be read.
    """
    if isinstance(rows, pl.DataFrame):
        return rows
    with translated(f"{what} cannot be read", f"give {CONTAINERS}, of one type in each column"):
        if isinstance(rows, pl.LazyFrame):
            return rows.collect(engine="in-memory")  # the streaming engine does not promise to keep the order
        if _is_pandas(rows):
            return _from_pandas(rows)
        if hasattr(rows, "__arrow_c_stream__"):
            return _from_arrow(Table.from_arrow(rows))
        if isinstance(rows, Mapping):
            return _from_columns(cast("Mapping[str, Any]", rows))
        if _is_list_of_rows(rows):
            names = dict.fromkeys(name for row in rows for name in row)
            return _from_columns({name: [row.get(name) for row in rows] for name in names})
    raise InputError(f"{what} cannot be of type {type(rows).__name__}: give {CONTAINERS}")


def has_no_values(column: pl.Series) -> bool:
    """Whether every value is null or NaN, or there are none: such a column fits any type."""
    missing = column.null_count()
    if column.dtype.is_float() and missing < len(column):
        missing += int(column.is_nan().sum())
    return missing == len(column)


def _is_pandas(rows: Any) -> bool:
    pandas: Any = sys.modules.get("pandas")  # whoever has a frame has imported it
    return pandas is not None and isinstance(rows, pandas.DataFrame)


def _from_pandas(frame: Any) -> pl.DataFrame:
    names = [str(name) for name in frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"the pandas frame has several columns called {', '.join(map(repr, repeated))}: rename them")
    plain = frame.set_axis(names, axis=1).reset_index(drop=True)
    read = _from_arrow(Table.from_arrow(plain))
    for name in names:
        # Arrow takes naive times for UTC where others of the column have a zone.
        if isinstance(read.schema[name], pl.Datetime) and plain[name].dtype == object:
            _refuse_naive(name, plain[name])
    return read


def _refuse_naive(name: str, values: Any) -> None:
    if any(isinstance(value, datetime) and value.tzinfo is None and not is_missing(value) for value in values):
        raise InputError(f"column {name!r} holds times without a time zone: give each of them one")


def _from_arrow(table: Table) -> pl.DataFrame:
    fields = [table.schema.field(place) for place in range(len(table.schema))]
    columns = [_in_known_zone(table.column(place), field) for place, field in enumerate(fields)]
    named = [field.with_type(column.type) for field, column in zip(fields, columns, strict=True)]
    return pl.DataFrame(_ARROW.from_arrays(columns, schema=Schema(named))) if columns else pl.DataFrame()


def _in_known_zone(column: ChunkedArray, field: Field) -> ChunkedArray:
    """Return times whose zone Polars does not know, such as fixed offsets, as the same instants in UTC."""
    known = _known(field.type)
    return column if known == field.type else column.cast(known)


def _known(dtype: DataType) -> DataType:
    if DataType.is_timestamp(dtype) and dtype.tz is not None and not _is_zone(dtype.tz):
        assert dtype.time_unit is not None
        return DataType.timestamp(dtype.time_unit, tz="UTC")
    if DataType.is_list(dtype) and dtype.value_type is not None:
        return DataType.list(_known(dtype.value_type))
    return dtype


@cache
def _is_zone(name: str) -> bool:
    try:
        pl.Series(dtype=pl.Int64).cast(pl.Datetime("us", name))
    except pl.exceptions.ComputeError:
        return False
    return True


def _is_list_of_rows(rows: Any) -> bool:
    return isinstance(rows, Sequence) and all(isinstance(row, Mapping) for row in cast("Sequence[Any]", rows))


def _from_columns(columns: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame({name: _from_column(name, values) for name, values in columns.items()})


def _from_column(name: str, values: Any) -> pl.Series:
    if hasattr(values, "__arrow_c_stream__") and not isinstance(values, pl.Series):
        column = ChunkedArray.from_arrow(values)
        return _from_arrow(_ARROW.from_pydict({name: column})).to_series()
    if isinstance(values, list | tuple):
        given = cast("Sequence[Any]", values)
        nulls = [None if is_missing(value) else value for value in given]
        numbers = all(value is None or isinstance(value, int | float) for value in nulls)
        return pl.Series(name, _all_floats(nulls) if numbers else nulls)
    return pl.Series(name, values)


def _all_floats(numbers: Sequence[Any]) -> Sequence[Any]:
    """Return whole numbers beside others as floats, unless that would change them."""
    mixed = {type(number) for number in numbers} >= {int, float}
    if not mixed or any(isinstance(number, int) and float(number) != number for number in numbers):
        return numbers
    return [None if number is None else float(number) for number in numbers]
