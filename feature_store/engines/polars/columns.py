"""Polars columns as the core's numpy columns, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl

from feature_store.columns import Column
from feature_store.dtypes import Boolean, Bytes, DType, String
from feature_store.engines.polars.dtypes import polars_dtype, working_dtype

_OBJECTS: Final[Mapping[DType, str | bytes]] = {String: "", Bytes: b""}
"""Types whose values are objects in numpy, and what stands for null."""


def to_column(series: pl.Series, dtype: DType) -> Column:
    """Return a column of scalars; ``dtype`` says what its values are, Float64 standing for both floats."""
    valid = series.is_not_null().to_numpy()
    if dtype in _OBJECTS:
        return Column(series.fill_null(_OBJECTS[dtype]).to_numpy().astype(object), valid)
    if dtype == Boolean:
        return Column(series.fill_null(value=False).cast(pl.UInt8).to_numpy(), valid)
    return Column(series.cast(working_dtype(dtype)).to_physical().fill_null(0).to_numpy(), valid)


def to_series(column: Column, dtype: DType) -> pl.Series:
    """Return a column of values of a feature type, or of a Float64 of the core, as Polars holds that type."""
    target = polars_dtype(dtype)
    if dtype.is_vector:
        vectors = pl.Series(np.ascontiguousarray(column.values), dtype=target)
        return _where(column.valid, vectors)
    if dtype.is_array:
        slots = [
            to_series(Column(column.values[:, slot], column.valid[:, slot]), dtype.element)
            for slot in range(dtype.length)
        ]
        arrays = pl.select(pl.concat_arr(slots)).to_series().cast(target)
        return _where(column.has_value, arrays)
    if dtype in _OBJECTS:
        plain = pl.Series(np.where(column.valid, column.values, _OBJECTS[dtype]).tolist(), dtype=target)
    elif dtype == Boolean:
        plain = pl.Series(column.values.astype(np.bool_))
    else:
        plain = pl.Series(np.ascontiguousarray(column.values)).cast(target)
    return _where(column.valid, plain)


def _where(valid: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], values: pl.Series) -> pl.Series:
    return pl.select(pl.when(pl.Series(valid)).then(values)).to_series()
