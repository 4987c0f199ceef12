"""Encodings: categories as vectors and places, numbers as buckets, keys as embeddings and looked-up values."""

from __future__ import annotations

from typing import cast

import numpy as np
import polars as pl

from feature_store.columns import Array
from feature_store.dtypes import DType, Vector
from feature_store.engines.polars.dtypes import constant, working_dtype
from feature_store.engines.polars.typed import Typed
from feature_store.expressions.nodes import Option


def one_hot(value: Typed, categories: Option) -> pl.Expr:
    """Return a vector with a 1 at the place of the category; all zeros for any other value and for null."""
    size = len(_values(categories))
    return _lookup(value, categories, np.eye(size, dtype=np.float32)).fill_null(constant([0.0] * size, Vector(size)))


def ordinal(value: Typed, categories: Option) -> pl.Expr:
    """Return the place of the value among the categories; null for any other value and for null."""
    places = list(range(len(_values(categories))))
    return _null_safe(value, categories).replace_strict(
        _values(categories), places, default=None, return_dtype=pl.Int64
    )


def bucketise(value: Typed, boundaries: Option) -> pl.Expr:
    """Return how many boundaries are at or below the value."""
    number = value.expr.cast(pl.Float64)
    edges = pl.lit(pl.Series(_values(boundaries), dtype=pl.Float64))
    return pl.when(number.is_not_null()).then(edges.search_sorted(number, side="right").cast(pl.Int64))


def embed(value: Typed, keys: Option, vectors: Option) -> pl.Expr:
    """Return the vector of a key; null for an unknown key and for null."""
    # Adding zero turns -0.0 into 0.0, also where rounding made it.
    return _lookup(value, keys, np.array(_values(vectors), np.float32) + np.float32(0))


def lookup(value: Typed, keys: Option, values: Option, dtype: DType) -> pl.Expr:
    """Return what a table gives for a key; null for an unknown key and for null."""
    found = pl.Series(_values(values), dtype=working_dtype(dtype))
    return _null_safe(value, keys).replace_strict(_values(keys), found, default=None, return_dtype=found.dtype)


def _lookup(value: Typed, keys: Option, vectors: Array) -> pl.Expr:
    dtype = pl.Array(pl.Float32, vectors.shape[1])
    table = pl.Series(vectors, dtype=dtype)
    return _null_safe(value, keys).replace_strict(_values(keys), table, default=None, return_dtype=dtype)


def _null_safe(value: Typed, keys: Option) -> pl.Expr:
    # A literal null has no type of its own; it takes that of the keys.
    return value.expr if value.dtype is not None else value.expr.cast(pl.Series(_values(keys)).dtype)


def _values(option: Option) -> list[Option]:
    return list(cast("tuple[Option, ...]", option))
