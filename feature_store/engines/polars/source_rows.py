"""Raw rows as the engine reads them: the declared columns, in their declared types."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.errors import InputError
from feature_store.model.sources import Source


def read_rows(source: Source, rows: pl.LazyFrame, names: Iterable[str]) -> pl.LazyFrame:
    """Return columns of a source's rows in their declared types.

    Raises:
        InputError: a column is missing, is of another type, or holds timestamps without a time zone.
    """
    schema = rows.collect_schema()
    names = list(dict.fromkeys(names))
    for name in names:
        _check_column(source, schema, name)
    return rows.select(pl.col(name).cast(polars_dtype(source.columns[name])) for name in names)


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
    if wanted.is_numeric():
        return actual.is_integer() or (wanted.is_float() and (actual.is_float() or actual.is_decimal()))
    # Delta knows lists but no arrays.
    alike = ((pl.Array, (pl.Array, pl.List)), (pl.Datetime, pl.Datetime), (pl.String, (pl.Categorical, pl.Enum)))
    return any(isinstance(wanted, one) and isinstance(actual, other) for one, other in alike)
