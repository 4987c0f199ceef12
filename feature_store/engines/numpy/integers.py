"""Int64 arithmetic in numpy that knows where its result does not fit."""

from __future__ import annotations

from typing import Final

import numpy as np

from feature_store.columns import Array, Mask

_LEAST: Final = np.int64(-(2**63))


def add(left: Array, right: Array) -> tuple[Array, Mask]:
    """Return sums, and where they do not fit Int64."""
    values = left + right
    # A sum that wrapped around has another sign than both its terms.
    return values, ((left ^ values) & (right ^ values)) < 0


def subtract(left: Array, right: Array) -> tuple[Array, Mask]:
    """Return differences, and where they do not fit Int64."""
    values = left - right
    return values, ((left ^ right) & (left ^ values)) < 0


def multiply(left: Array, right: Array) -> tuple[Array, Mask]:
    """Return products, and where they do not fit Int64.

    >>> multiply(np.array([3, 2**62, -1]), np.array([-4, 2, -(2**63)]))[1].tolist()
    [False, True, True]
    """
    values = left * right
    # Dividing the least number by -1 wraps around itself; times -1 nothing else does not fit.
    plain = (left == 0) | (left == -1)
    wrapped: Mask = values // np.where(plain, 1, left) != right
    return values, (~plain & wrapped) | ((left == -1) & (right == _LEAST))
