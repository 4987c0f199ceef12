"""Data frames in the types that are stored: no naive times, no unsigned integers, vectors as lists."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from feature_store.errors import InputError
from feature_store.offline.instants import INSTANT

_SIGNED: Mapping[type[pl.DataType], pl.DataType] = {
    pl.UInt8: pl.Int16(),
    pl.UInt16: pl.Int32(),
    pl.UInt32: pl.Int64(),
    pl.UInt64: pl.Int64(),
}


def to_storage(frame: pl.DataFrame) -> pl.DataFrame:
    """Cast columns to types that Delta keeps as they are.

    Timestamps become UTC microseconds, unsigned integers wider signed ones, categories strings, arrays lists.

    Raises:
        InputError: a timestamp without a zone, or a column that has no type because it is all null.
    """
    return frame.with_columns(
        pl.col(name).cast(_stored(name, dtype)) for name, dtype in frame.schema.items() if _stored(name, dtype) != dtype
    )


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
    return _SIGNED.get(type(dtype), dtype)
