"""DDSketch: counts of values in bins whose bounds grow by a constant factor, so that every value is known to 1 %.

Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019.
Bin ``i`` holds magnitudes in ``(GAMMA^(i-1), GAMMA^i]`` and stands for ``2 * GAMMA^i / (GAMMA + 1)``, which is within
ALPHA of all of them. Sketches merge by adding up counts: exactly, in any order. Nothing is ever collapsed, so a sketch
has as many bins as its values have magnitudes: two values whose ratio is 1000 are 346 bins apart, and all floats of one
sign fill 72,711. A sketch is stored as two plain lists, the bins in ascending order and their counts.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

ALPHA: Final = 0.01
"""The largest relative error, but for rounding."""

GAMMA: Final = (1 + ALPHA) / (1 - ALPHA)

_LN_GAMMA: Final = math.log(GAMMA)
_OFFSET: Final = 40_000
"""Added to the bin of a magnitude, which makes those of all floats positive; negative values have negative bins."""

Bins = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]


def bins_of(values: npt.NDArray[np.float64]) -> Bins:
    """Return the bin of each value; a larger value never has a smaller bin.

    Args:
        values: finite.

    >>> bins_of(np.array([-1.0, 0.0, 1.0, GAMMA])).tolist()
    [-40000, 0, 40000, 40001]
    """
    magnitudes = np.where(values == 0, 1.0, np.abs(values))
    places = np.ceil(np.log(magnitudes) / _LN_GAMMA).astype(np.int32) + _OFFSET
    return (np.sign(values) * places).astype(np.int32)


def values_of(bins: Bins) -> npt.NDArray[np.float64]:
    """Return the value that stands for each bin.

    >>> values_of(np.array([-40000, 0, 40000], np.int32)).round(6).tolist()
    [-0.99, 0.0, 0.99]
    """
    with np.errstate(over="ignore"):
        magnitudes = np.exp((np.abs(bins).astype(np.int64) - _OFFSET) * _LN_GAMMA + math.log(2 / (1 + GAMMA)))
    return np.sign(bins) * np.minimum(magnitudes, np.finfo(np.float64).max) + 0.0


def percentiles(row: npt.NDArray[np.int64], bins: Bins, counts: Counts, q: float) -> npt.NDArray[np.float64]:
    """Return a percentile of each row's sketch: its value at the nearest rank, ``floor(q * (n - 1))`` of n from 0.

    Args:
        row: of each bin: 0, 1, 2, ..., ascending; no row is without a bin.
        bins: ascending within a row.
        counts: positive.
        q: from 0 to 1.

    >>> percentiles(np.array([0, 0, 1]), np.array([0, 40000, 0], np.int32), np.array([3, 1, 1]), 1.0).round(6).tolist()
    [0.99, 0.0]
    """
    if not len(row):
        return np.empty(0, np.float64)
    heads = np.flatnonzero(np.diff(row, prepend=-1))
    reached = np.cumsum(counts)
    before = reached[heads] - counts[heads]
    totals = np.add.reduceat(counts, heads)
    ranks = np.floor(q * (totals - 1)).astype(np.int64)
    return values_of(bins[np.searchsorted(reached, before + ranks, side="right")])
