"""The status of what is computed from several features when it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from feature_store.columns import Array, Mask
from feature_store.status import Status

_MILDEST_FIRST: Final = (Status.EMPTY, Status.PRESENT, Status.EXPIRED, Status.NOT_COMPUTED, Status.DAMAGED)
_STATUSES: Final = np.array(_MILDEST_FIRST, np.uint8)
_RANKS: Final = np.argsort(_STATUSES).astype(np.uint8)
"""Of each status its place among the mildest first."""


def worst_status(codes: Sequence[Array], count: int) -> Array:
    """Return DAMAGED, else NOT_COMPUTED, else EXPIRED where any is; EMPTY where all are; else PRESENT.

    Args:
        codes: of each feature, shape ``(count,)``; without any, all are PRESENT.
        count: number of entities.

    >>> worst_status([np.array([1, 1, 0, 2]), np.array([1, 0, 3, 3])], 4).tolist()
    [1, 0, 3, 2]
    """
    if len(codes) == 1:
        return codes[0]
    distinct = list({id(each): each for each in codes}.values())
    if len(distinct) == 1:
        return distinct[0]  # features of a view share theirs
    if not distinct:
        return np.full(count, Status.PRESENT, np.uint8)
    return _STATUSES[np.maximum.reduce([_RANKS[each] for each in distinct])]


def is_lost(codes: Array) -> Mask:
    """Return where there is no value for a reason: DAMAGED, NOT_COMPUTED or EXPIRED."""
    return (codes != Status.PRESENT) & (codes != Status.EMPTY)
