"""Raw rows as the engine reads them: the declared columns, in their declared types."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from feature_store.dtypes import Timestamp
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.engines.polars.frames import has_no_values, translated
from feature_store.engines.polars.typed import to_timestamp
from feature_store.errors import InputError
from feature_store.model.sources import EventSource, Source, key_column


def read_rows(source: Source, rows: pl.LazyFrame, names: Iterable[str]) -> pl.LazyFrame:
    """Return columns of a source's rows in their declared types; a key may be called by its name in the entity.

    Raises:
        InputError: a column is missing, is of another type, or holds timestamps without a time zone.
    """
    schema = rows.collect_schema()
    columns = {name: name if name in source.columns else key_column(source, name) for name in names}
    for column in columns.values():
        _check_column(source, schema, column)
    return rows.select(_declared(source, schema, column).alias(name) for name, column in columns.items())


def declared_column(source: Source, frame: pl.DataFrame, name: str) -> pl.Series:
    """Return a column of rows that are to be landed in its declared type; one without values fits any type.

    Raises:
        InputError: it is missing, of another type, holds timestamps without a time zone, or a value that its type
            cannot hold.
    """
    wanted = polars_dtype(source.columns[name])
    if not frame.width or (name in frame.columns and has_no_values(frame[name])):
        return pl.Series(name, [None] * frame.height, wanted)
    _check_column(source, frame.schema, name)
    where = f"column {name!r} of source {source.name} is declared as {source.columns[name]}"
    column = frame[name]
    if isinstance(column.dtype, pl.List) and isinstance(wanted, pl.Array):
        lengths = column.list.len().drop_nulls()
        others = lengths.filter(lengths != wanted.size)
        if len(others):
            raise InputError(
                f"{where}, but {len(others)} of its rows hold another number of elements, e.g. {others[0]}. "
                "Correct the declaration, or leave these rows out."
            )
    with translated(f"{where}, which cannot hold all its values", "correct the declaration, or cast it before"):
        return frame.select(_declared(source, frame.schema, name)).to_series()


def _declared(source: Source, schema: pl.Schema, name: str) -> pl.Expr:
    actual = schema[name]
    if source.columns[name] == Timestamp and isinstance(actual, pl.Datetime):
        return to_timestamp(pl.col(name), actual)
    return pl.col(name).cast(polars_dtype(source.columns[name]))


def known_time(source: EventSource) -> pl.Expr:
    """Return when events are known: the later of ``event_time`` and, if declared, ``known_at``; null if one is null."""
    return later_of(pl.col(source.event_time), None if source.known_at is None else pl.col(source.known_at))


def later_of(time: pl.Expr, other: pl.Expr | None) -> pl.Expr:
    """Return the later of two instants, null if one is null; the first where there is no second."""
    if other is None:
        return time
    return pl.when(time.is_not_null() & other.is_not_null()).then(pl.max_horizontal(time, other))


def _check_column(source: Source, schema: pl.Schema, name: str) -> None:
    if name not in schema:
        known = ", ".join(schema.names())
        raise InputError(f"rows of source {source.name} lack the column {name!r}; they have {known}. Land that column.")
    actual, wanted = schema[name], polars_dtype(source.columns[name])
    if isinstance(actual, pl.Datetime) and actual.time_zone is None:
        raise InputError(
            f"column {name!r} of source {source.name} holds timestamps without a time zone. "
            f"State it where the rows are landed: pl.col({name!r}).dt.replace_time_zone('UTC')."
        )
    if not _fits(actual, wanted):
        raise InputError(
            f"column {name!r} of source {source.name} is declared as {source.columns[name]} "
            f"but its rows hold {actual}. Correct the declaration, or cast where the rows are landed."
        )


def _fits(actual: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether every value of one type is one of the other, but for range and precision."""
    if actual in (wanted, pl.Null):
        return True
    if isinstance(wanted, pl.Array):
        return _fits_vector(actual, wanted)
    if wanted.is_numeric():
        return actual.is_integer() or (wanted.is_float() and (actual.is_float() or actual.is_decimal()))
    alike = ((pl.Datetime, pl.Datetime), (pl.String, (pl.Categorical, pl.Enum)))
    return any(isinstance(wanted, one) and isinstance(actual, other) for one, other in alike)


def _fits_vector(actual: pl.DataType, wanted: pl.Array) -> bool:
    """Whether vectors are of numbers, and of that length where the type tells: Delta knows lists but no arrays."""
    if isinstance(actual, pl.Array) and actual.shape != wanted.shape:
        return False
    return isinstance(actual, pl.Array | pl.List) and _fits(_inner(actual), _inner(wanted))


def _inner(dtype: pl.Array | pl.List) -> pl.DataType:
    return pl.Series(dtype=dtype.inner).dtype
