"""Values of many rows side by side, reduced row by row without a loop over the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feature_store.columns import Array, Mask

_LOW: np.int64 = np.int64(0xFFFFFFFF)


@dataclass(frozen=True)
class Segments:
    """The places of each row's values, among values sorted by row.

    Attributes:
        rows: the rows that have values, ascending.
        heads: the place of the first value of each of them.
        lengths: how many values each of them has.
        count: the number of rows, with and without values.
    """

    rows: npt.NDArray[np.int64]
    heads: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    count: int

    @staticmethod
    def of(row: npt.NDArray[np.int64], count: int) -> Segments:
        """Return the segments of values whose rows, ascending, are given."""
        heads = np.flatnonzero(np.diff(row, prepend=-1))
        return Segments(row[heads], heads, np.diff(heads, append=len(row)), count)

    def reduce(self, function: np.ufunc, values: Array) -> Array:
        """Return ``function`` over the values of each row that has any, in the order in which they stand."""
        if not len(self.heads):
            return values[:0]
        # A sum that leaves Float64 is infinite, which is null in the end, as on every engine.
        with np.errstate(over="ignore", invalid="ignore"):
            return function.reduceat(values, self.heads)

    def repeat(self, values: Array) -> Array:
        """Return, for a value per row that has any, the value of each place's row."""
        return np.repeat(values, self.lengths)

    def scatter(self, values: Array, fill: object) -> Array:
        """Return a value for every row: ``fill`` for those without."""
        result = np.full(self.count, fill, values.dtype)
        result[self.rows] = values
        return result

    @property
    def has_values(self) -> Mask:
        """Whether a row has values."""
        mask = np.zeros(self.count, np.bool_)
        mask[self.rows] = True
        return mask


def sum_integers(segments: Segments, values: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Mask]:
    """Return the exact sums of Int64 values, and which of them fit Int64.

    >>> sums, fits = sum_integers(Segments.of(np.array([0, 0, 1]), 2), np.array([2**62, -1, 7]))
    >>> sums.tolist() == [2**62 - 1, 7], fits.tolist()
    (True, [True, True])
    >>> sum_integers(Segments.of(np.array([0, 0, 1, 1]), 2), np.array([2**62, 2**62, -(2**62), -(2**62)]))[1].tolist()
    [False, True]
    """
    low = segments.reduce(np.add, values & _LOW)
    high = segments.reduce(np.add, values >> 32) + (low >> 32)
    return (high << 32) + (low & _LOW), (high >= -(2**31)) & (high < 2**31)
