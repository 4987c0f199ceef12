"""Columns of an answer as Arrow. The one module of serving that needs pyarrow; imported only where it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np

from feature_store.columns import Array, Column
from feature_store.dtypes import Boolean, DType, Int64, String, Timestamp
from serving.read.requests import KeyValue
from serving.read.values import json_values

# pyarrow has no types of its own.
pa: Final[Any] = import_module("pyarrow")


def to_table(
    keys: Mapping[str, Sequence[KeyValue]],
    columns: Mapping[str, Column],
    codes: Mapping[str, Array],
    dtypes: Mapping[str, DType],
    metadata: Mapping[str, str],
) -> Any:
    """Return a ``pyarrow.Table``.

    Args:
        keys: by key column, the entities asked for.
        columns: values by feature name.
        codes: uint8 columns by name.
        dtypes: by key column and feature name.
        metadata: of the schema.
    """
    key_types = {name: pa.int64() if dtypes[name] == Int64 else pa.string() for name in keys}
    arrays: dict[str, Any] = {name: pa.array(values, key_types[name]) for name, values in keys.items()}
    arrays |= {name: _array(column, dtypes[name]) for name, column in columns.items()}
    arrays |= {name: pa.array(values) for name, values in codes.items()}
    return pa.table(arrays).replace_schema_metadata(dict(metadata))


def to_polars(table: Any) -> Any:
    """Return a ``polars.DataFrame`` with a table's columns."""
    return import_module("polars").from_arrow(table)


def to_ipc_stream(table: Any) -> bytes:
    """Return a table in the Arrow IPC stream format."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def _array(column: Column, dtype: DType) -> Any:
    """Return a column as an Arrow array; vectors and arrays are fixed-size lists, timestamps are microseconds UTC."""
    if dtype.is_array:
        slots = _array(Column(column.values.reshape(-1), column.valid.reshape(-1)), dtype.element)
        return pa.FixedSizeListArray.from_arrays(slots, dtype.length, mask=pa.array(~column.has_value))
    nulls = ~column.valid
    if dtype.is_vector:
        flat = pa.array(np.ascontiguousarray(column.values).reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, dtype.length, mask=pa.array(nulls))
    if dtype == String:
        return pa.array(json_values(column, dtype), pa.string())
    if dtype == Boolean:
        return pa.array(column.values.astype(np.bool_), mask=nulls)
    return pa.array(column.values, pa.timestamp("us", "UTC") if dtype == Timestamp else None, mask=nulls)
