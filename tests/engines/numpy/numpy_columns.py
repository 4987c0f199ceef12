"""Python values as columns, and columns as the Python values that the oracle speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from feature_store import Boolean, DType, String, Timestamp
from feature_store.columns import Column
from feature_store.temporal.instants import from_microseconds, to_microseconds

GARBAGE = {"i": -7, "u": 255, "f": np.nan, "O": None}
"""What stands at invalid places: nothing may look at it."""


def column_of(values: Sequence[Any], dtype: DType) -> Column:
    plain = [to_microseconds(value) if isinstance(value, datetime) else value for value in values]
    shape = (len(plain), dtype.length) if dtype.is_vector else (len(plain),)
    held = np.full(shape, GARBAGE[np.dtype(dtype.numpy).kind], dtype.numpy)
    for place, value in enumerate(plain):
        if value is not None:
            held[place] = [np.nan if element is None else element for element in value] if dtype.is_vector else value
    return Column(held, np.array([value is not None for value in plain], np.bool_))


def columns_of(rows: Sequence[Mapping[str, Any]], schema: Mapping[str, DType]) -> dict[str, Column]:
    return {name: column_of([row[name] for row in rows], dtype) for name, dtype in schema.items()}


def values_of(column: Column, dtype: DType | None) -> list[Any]:
    return [
        _python(value, dtype) if valid else None
        for value, valid in zip(column.values.tolist(), column.valid.tolist(), strict=True)
    ]


def _python(value: Any, dtype: DType | None) -> Any:
    if dtype == Boolean:
        assert value in (0, 1)
        return bool(value)
    if dtype == Timestamp:
        return from_microseconds(value).astimezone(UTC)
    if dtype == String:
        assert type(value) is str
    return value
