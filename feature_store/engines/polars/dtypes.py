"""Feature types as Polars types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import polars as pl

from feature_store.constants import Default
from feature_store.dtypes import Boolean, Bytes, DType, Float32, Float64, Int32, Int64, String, Timestamp

TIMESTAMP: Final = pl.Datetime("us", "UTC")

_SCALARS: Final[dict[DType, pl.DataType]] = {
    Int64: pl.Int64(),
    Float64: pl.Float64(),
    Float32: pl.Float32(),
    Boolean: pl.Boolean(),
    String: pl.String(),
    Timestamp: TIMESTAMP,
    Bytes: pl.Binary(),
    Int32: pl.Int32(),
}


def polars_dtype(dtype: DType) -> pl.DataType:
    """Return the Polars type of a feature type.

    >>> from feature_store.dtypes import Array, Vector
    >>> polars_dtype(Timestamp), polars_dtype(Vector(3)), polars_dtype(Array(Int64, 2))
    (Datetime(time_unit='us', time_zone='UTC'), Array(Float32, shape=(3,)), Array(Int64, shape=(2,)))
    """
    if dtype.is_array:
        return pl.Array(_SCALARS[dtype.element], dtype.length)
    return pl.Array(pl.Float32, dtype.length) if dtype.is_vector else _SCALARS[dtype]


def working_dtype(dtype: DType) -> pl.DataType:
    """Return the type in which values of a feature type are computed: every float as Float64."""
    return pl.Float64() if dtype.is_float else polars_dtype(dtype)


def constant(value: Default, dtype: DType) -> pl.Expr:
    """Return a constant in the working type of its feature type; instants may have any time zone."""
    if dtype.is_vector:
        return pl.lit(pl.Series([value], dtype=working_dtype(dtype))).first()
    # Polars knows named zones only, not fixed offsets.
    plain = value.astimezone(UTC) if isinstance(value, datetime) else value
    return pl.lit(plain, dtype=working_dtype(dtype))
