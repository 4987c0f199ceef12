"""Encodings in numpy: categories as vectors and places, numbers as buckets, keys as embeddings and looked-up values."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from feature_store.columns import Array
from feature_store.dtypes import DType, Float64, Int64, Vector
from feature_store.engines.numpy.working import WorkingColumn, map_distinct, numpy_type
from feature_store.expressions.nodes import Option


def places(value: WorkingColumn, keys: Option) -> Array:
    """Return the place of each value among the keys, from 0; -1 for any other value and for null."""
    listed = _values(keys)
    if value.dtype is None:
        return np.full(len(value), -1, np.int64)
    if value.dtype == Int64:
        sought = np.array(listed, np.int64)
        order = np.argsort(sought)
        nearest = order[np.searchsorted(sought, value.values, sorter=order).clip(max=len(listed) - 1)]
        found = np.where(sought[nearest] == value.values, nearest, -1)
    else:
        place_of = {key: place for place, key in enumerate(listed)}
        found = map_distinct(value.values, lambda text: place_of.get(text, -1), "<i8")
    return np.where(value.valid, found, -1)


def one_hot(value: WorkingColumn, categories: Option) -> WorkingColumn:
    """Return a vector with a 1 at the place of the category; all zeros for any other value and for null."""
    size = len(_values(categories))
    # The last row stands for every other value: that is where a place of -1 leads.
    rows = np.concatenate([np.eye(size, dtype=np.float32), np.zeros((1, size), np.float32)])
    return WorkingColumn(rows[places(value, categories)], np.ones(len(value), np.bool_), Vector(size))


def ordinal(value: WorkingColumn, categories: Option) -> WorkingColumn:
    """Return the place of the value among the categories; null for any other value and for null."""
    found = places(value, categories)
    return WorkingColumn(found, found >= 0, Int64)


def bucketise(value: WorkingColumn, boundaries: Option) -> WorkingColumn:
    """Return how many boundaries are at or below the value."""
    number = value.to(Float64)
    edges = np.array(_values(boundaries), np.float64)
    return number.where_valid(np.searchsorted(edges, number.values, side="right").astype(np.int64), Int64)


def embed(value: WorkingColumn, keys: Option, vectors: Option) -> WorkingColumn:
    """Return the vector of a key; null for an unknown key and for null."""
    table = np.array(_values(vectors), np.float32) + np.float32(0)
    found = places(value, keys)
    return WorkingColumn(table[found], found >= 0, Vector(table.shape[1]))


def lookup(value: WorkingColumn, keys: Option, values: Option, dtype: DType) -> WorkingColumn:
    """Return what a table gives for a key; null for an unknown key and for null."""
    found = places(value, keys)
    return WorkingColumn(np.array(_values(values), numpy_type(dtype))[found], found >= 0, dtype)


def _values(option: Option) -> list[Any]:
    return list(cast("tuple[Any, ...]", option))
