"""Feature vectors as Arrow. The one module of serving that needs pyarrow; import it only where Arrow is asked for."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any, Final

import numpy as np

from feature_store.columns import Column
from feature_store.dtypes import Boolean, DType, Int64, String, Timestamp
from feature_store.temporal.instants import iso_instant
from serving.read.values import json_values
from serving.read.vectors import STATUS_SUFFIX, FeatureVectors

# pyarrow has no types of its own.
pa: Final[Any] = import_module("pyarrow")


def to_table(vectors: FeatureVectors) -> Any:
    """Return a ``pyarrow.Table``; see ``FeatureVectors.to_arrow``."""
    key_types = {name: pa.int64() if vectors.dtypes[name] == Int64 else pa.string() for name in vectors.keys}
    arrays: dict[str, Any] = {name: pa.array(values, key_types[name]) for name, values in vectors.keys.items()}
    arrays |= {name: _array(column, vectors.dtypes[name]) for name, column in vectors.columns.items()}
    arrays |= {f"{name}{STATUS_SUFFIX}": pa.array(codes) for name, codes in vectors.status.items()}
    metadata = {
        "service": vectors.service,
        "version": str(vectors.version),
        "time": iso_instant(vectors.time),
        "as_of": json.dumps(vectors.as_of_text()),
    }
    return pa.table(arrays).replace_schema_metadata(metadata)


def to_polars(vectors: FeatureVectors) -> Any:
    """Return a ``polars.DataFrame`` with the table's columns."""
    return import_module("polars").from_arrow(to_table(vectors))


def to_ipc_stream(vectors: FeatureVectors) -> bytes:
    """Return the table in the Arrow IPC stream format."""
    table = to_table(vectors)
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
