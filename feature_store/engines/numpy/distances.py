"""Distances between vectors, for both engines: their bits depend on the order in which terms are added.

A product of two Float32 is exact in Float64, and terms are added from the first to the last.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from feature_store.columns import Array

_TERMS_AT_ONCE: Final = 2**20


def dot(left: Array, right: Array) -> Array:
    """Return the dot products of the rows of two Float32 arrays of shape ``(n, length)``, as Float64.

    >>> dot(np.array([[1, 2]], np.float32), np.array([[3, 4]], np.float32)).tolist()
    [11.0]
    """
    rows = max(1, _TERMS_AT_ONCE // left.shape[1])
    found = np.empty(len(left))
    for start in range(0, len(left), rows):
        part = slice(start, start + rows)
        terms = left[part].astype(np.float64) * right[part].astype(np.float64)
        found[part] = np.add.accumulate(terms, axis=1)[:, -1]
    return found


def cosine(left: Array, right: Array) -> Array:
    """Return the cosines between the rows of two Float32 arrays; NaN where one has no length."""
    with np.errstate(invalid="ignore"):
        return dot(left, right) / np.sqrt(dot(left, left) * dot(right, right))
