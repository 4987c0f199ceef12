"""Data frames in the types that Delta stores, and back: no naive times, no unsigned integers, arrays as lists.

Of arrays the table's schema says what they were, so whoever reads it by name gets arrays again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl
from arro3.core import Schema, Table
from deltalake import DeltaTable

from feature_store.checks.declared import stored_names_problem
from feature_store.engines.polars.frames import translated
from feature_store.engines.polars.typed import to_timestamp
from feature_store.errors import InputError
from feature_store.offline.delta.instants import INSTANT

Shapes = Mapping[str, Sequence[int]]
"""By column that holds arrays, their lengths, those of arrays in arrays after them."""

_LARGEST: Final = 2**63 - 1

_SHAPE: Final = "feature_store.array_shape"
"""Key of a column's metadata in Delta."""

_KNOWN: Final = (
    *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Float32, pl.Float64, pl.Decimal),
    *(pl.Boolean, pl.String, pl.Binary, pl.Date),
)
"""Scalars that Delta keeps as they are."""

_SIGNED: Final[Mapping[type[pl.DataType], pl.DataType]] = {
    pl.UInt8: pl.Int16(),
    pl.UInt16: pl.Int32(),
    pl.UInt32: pl.Int64(),
    pl.UInt64: pl.Int64(),
}


def to_storage(frame: pl.DataFrame) -> pl.DataFrame:
    """Cast columns to types that Delta keeps as they are.

    Timestamps become UTC microseconds, unsigned integers wider signed ones, categories strings, arrays lists.

    Raises:
        InputError: a timestamp without a zone, a column that has no type because it is all null, a type that Delta does
            not know, or an integer beyond Int64.
    """
    for name, dtype in frame.schema.items():
        largest = frame[name].max() if dtype == pl.UInt64 else None
        if isinstance(largest, int) and largest > _LARGEST:
            raise InputError(f"column {name!r} holds {largest}, which does not fit Int64: cast it to pl.String")
    return frame.with_columns(
        _cast(frame[name], _stored(name, dtype))
        for name, dtype in frame.schema.items()
        if _stored(name, dtype) != dtype
    )


def check_stored_names(where: str, names: Iterable[str], taken: Iterable[str]) -> None:
    """Refuse columns that cannot be stored by their names; see ``stored_names_problem``.

    Raises:
        InputError: there is one.
    """
    problem = stored_names_problem(names, taken)
    if problem is not None:
        raise InputError(f"{where}: {problem[0]}: {problem[1]}")


def array_shapes(schema: pl.Schema) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the columns that hold arrays."""
    return {name: dtype.shape for name, dtype in schema.items() if isinstance(dtype, pl.Array)}


def with_shapes(frame: pl.DataFrame, shapes: Shapes) -> Any:
    """Return a frame in stored types as Arrow data that says which of its lists were arrays."""
    named = {name: shape for name, shape in shapes.items() if name in frame.columns}
    if not named:
        return frame
    table = Table.from_arrow(frame)
    fields = [table.schema.field(place) for place in range(len(table.schema))]
    described = [
        field.with_metadata({_SHAPE: json.dumps(named[field.name])}) if field.name in named else field
        for field in fields
    ]
    return table.with_schema(Schema(described))


def stored_shapes(table: DeltaTable) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the columns of a table that hold arrays."""
    described = {field.name: field.metadata for field in table.schema().fields}
    return {name: tuple(json.loads(str(of[_SHAPE]))) for name, of in described.items() if _SHAPE in of}


def as_arrays(schema: pl.Schema, shapes: Shapes) -> pl.Schema:
    """Return the types of stored columns with arrays as arrays."""
    return pl.Schema({n: pl.Array(_leaf(d), tuple(shapes[n])) if n in shapes else d for n, d in schema.items()})


def _leaf(dtype: pl.DataType) -> pl.DataType:
    return _leaf(pl.Series(dtype=dtype.inner).dtype) if isinstance(dtype, pl.List) else dtype


def _cast(column: pl.Series, stored: pl.DataType) -> pl.Series:
    if isinstance(column.dtype, pl.Datetime):
        return pl.select(to_timestamp(pl.lit(column), column.dtype).alias(column.name)).to_series()
    with translated(f"column {column.name!r}, a {column.dtype}, cannot be stored as {stored}", "cast it before"):
        return column.cast(stored)


def _stored(column: str, dtype: pl.DataType) -> pl.DataType:
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            raise InputError(
                f'column {column!r} has times without a zone: use pl.col("{column}").dt.replace_time_zone("UTC")'
            )
        return INSTANT
    if isinstance(dtype, pl.Null):
        raise InputError(f"column {column!r} is all null and has no type: cast it to the type it should have")
    if isinstance(dtype, pl.Array | pl.List):
        return pl.List(_stored(column, pl.Series(dtype=dtype.inner).dtype))
    if isinstance(dtype, pl.Struct):
        fields = [pl.Field(f.name, _stored(f"{column}.{f.name}", pl.Series(dtype=f.dtype).dtype)) for f in dtype.fields]
        return pl.Struct(fields)
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return pl.String()
    if not isinstance(dtype, (*_KNOWN, *_SIGNED)):
        advice = f'pl.col("{column}").dt.total_microseconds()' if dtype == pl.Duration else "to pl.Int64 or pl.String"
        raise InputError(f"column {column!r} is a {dtype}, which Delta Lake does not know: cast it, e.g. {advice}")
    return _SIGNED.get(type(dtype), dtype)
