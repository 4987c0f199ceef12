"""Columns in the type in which expressions compute, for evaluation in numpy.

Every float is Float64 without NaN, infinities or -0.0; what stands at an invalid place is a valid value all the same,
so that no operation has to look at the mask before it computes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from feature_store.columns import Array, Column, Mask
from feature_store.dtypes import DType, Float64, String, Timestamp
from feature_store.temporal.instants import FIRST, LAST, to_microseconds

_FIRST: Final = to_microseconds(FIRST)
_LAST: Final = to_microseconds(LAST)


@dataclass(slots=True)
class WorkingColumn:
    """Values in the working type of ``dtype``, and which are not null; None is the type of a literal null.

    Vectors, and arrays, which no operation takes, stay as they are stored.
    """

    values: Array
    valid: Mask
    dtype: DType | None

    def __len__(self) -> int:
        return len(self.valid)

    def to(self, dtype: DType | None) -> WorkingColumn:
        """Return the column in the working type of another type that holds its values; None leaves it alone."""
        if dtype is None or dtype == self.dtype:
            return self
        if self.dtype is None:
            return nulls(dtype, len(self))
        values = self.values.astype(np.float64, copy=False) if dtype.is_float else self.values
        return WorkingColumn(values, self.valid, dtype)

    def where_valid(self, values: Array, dtype: DType) -> WorkingColumn:
        """Return other values that are null where these are."""
        return WorkingColumn(values, self.valid, dtype)


def numpy_type(dtype: DType) -> np.dtype[Any]:
    """Return the numpy type in which values of a type are computed."""
    return np.dtype(np.float64) if dtype.is_float else np.dtype(dtype.numpy)


def nulls(dtype: DType | None, count: int) -> WorkingColumn:
    """Return a column of nulls."""
    known = Float64 if dtype is None else dtype
    shape = (count, known.length) if known.is_vector else (count,)
    values = np.full(shape, "" if known == String else 0, numpy_type(known))
    return WorkingColumn(values, np.zeros(count, np.bool_), dtype)


def finite(values: Array, valid: Mask, dtype: DType) -> WorkingColumn:
    """Return Float64 values with NaN and infinities as null and -0.0 as 0.0."""
    kept = valid & np.isfinite(values)
    if np.count_nonzero(kept) < len(kept):
        values = np.where(kept, values, 0.0)
    return WorkingColumn(values + 0.0, kept, dtype)


def in_calendar(column: WorkingColumn) -> WorkingColumn:
    """Return timestamps with those outside the calendar as null."""
    kept = column.valid & (column.values >= _FIRST) & (column.values <= _LAST)
    return WorkingColumn(np.where(kept, column.values, 0), kept, Timestamp)


def read_column(column: Column, dtype: DType) -> WorkingColumn:
    """Return a column of a source or of features in its working type."""
    if dtype.is_float:
        return finite(column.values.astype(np.float64), column.valid, dtype)
    if dtype == Timestamp:
        return in_calendar(WorkingColumn(column.values, column.valid, dtype))
    if dtype == String:
        return WorkingColumn(np.where(column.valid, column.values, ""), column.valid, dtype)
    if dtype.is_vector:
        return _finite_vectors(column, dtype)
    if dtype.is_array:
        return WorkingColumn(column.values, column.valid, dtype)
    return WorkingColumn(np.where(column.valid, column.values, column.values.dtype.type(0)), column.valid, dtype)


def floats_of(column: Column, dtype: DType) -> WorkingColumn:
    """Return floats that are finite wherever they are valid in their working type."""
    return WorkingColumn(column.values.astype(np.float64, copy=False), column.valid, dtype)


def _finite_vectors(column: Column, dtype: DType) -> WorkingColumn:
    """Return vectors, null where an element is NaN, infinite or null (NaN too), with -0.0 as 0.0."""
    kept = column.valid & np.isfinite(column.values).all(axis=1)
    return WorkingColumn(np.where(kept[:, np.newaxis], column.values, np.float32(0)) + np.float32(0), kept, dtype)


def map_distinct(strings: Array, function: Callable[[str], Any], numpy: str) -> Array:
    """Return ``function`` of every string, called once for each distinct one.

    >>> map_distinct(np.array(["a", "B", "a"], object), str.lower, "O").tolist()
    ['a', 'b', 'a']
    """
    listed: list[str] = strings.tolist()
    found = {string: function(string) for string in dict.fromkeys(listed)}
    results = np.empty(len(listed), numpy)
    results[:] = list(map(found.__getitem__, listed))
    return results
