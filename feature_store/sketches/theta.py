"""Theta sketches of Apache DataSketches, merged and read in numpy: about how many distinct values there are.

A sketch keeps the smallest hashes of its values, at most ``SIZE`` of them, and theta: the smallest hash it had to drop,
or ``_ALL``. It is stored as the library's compact ordered bytes (serial version 3, default seed), which its Java, C++
and Python editions read, and with them Spark. Which hashes are kept depends on the values alone, so a union has the
same bytes in whatever order and portions the values came.

Dasgupta, Lang, Rhodes and Thaler, "A framework for estimating stream expression cardinalities", ICDT 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from feature_store.codec.byte_strings import Ragged, as_matrix, from_lengths, gather, gather_matrix, join_columns
from feature_store.columns import Array
from feature_store.errors import FeatureStoreError

LG_SIZE: Final = 12
SIZE: Final = 1 << LG_SIZE
"""The number of hashes kept: up to so many distinct values are counted exactly; beyond, the error is 1 / sqrt(SIZE)."""

_ALL: Final = 2**63 - 1
"""Theta while no hash was dropped: a hash is smaller."""

_HEAD: Final = np.dtype(
    [("longs", "u1"), ("version", "u1"), ("family", "u1"), ("sizes", "<u2"), ("flags", "u1"), ("seed", "<u2")]
)
_VERSION: Final = 3
_FAMILY: Final = 3
_FLAGS: Final = 2 | 8 | 16
"""Read-only, compact, ordered."""
_SEED: Final = 0x93CC
"""Hash of the default seed, 9001."""


class SketchError(FeatureStoreError):
    """Bytes are not a Theta sketch as they are stored here."""


@dataclass(frozen=True)
class Thetas:
    """Sketches of at least one value each, side by side.

    Attributes:
        theta: int64, shape ``(n,)``.
        counts: int64, shape ``(n,)``: how many hashes each has.
        hashes: int64: those of the first sketch, ascending, then those of the next.
    """

    theta: Array
    counts: Array
    hashes: Array

    def estimates(self) -> npt.NDArray[np.int64]:
        """Return about how many distinct values each has seen: exactly, up to ``SIZE`` of them."""
        return np.rint(self.counts / (self.theta / 2**63)).astype(np.int64)


def decode(sketches: Ragged) -> Thetas:
    """Read sketches from their bytes.

    Raises:
        SketchError: they are none, or have another seed or form.
    """
    if (sketches.lengths < _HEAD.itemsize).any():
        raise SketchError("a Theta sketch is cut short: compute its tile again")
    starts = sketches.offsets[:-1]
    head = gather_matrix(sketches.buffer, starts, _HEAD.itemsize).reshape(-1).view(_HEAD)
    expected = (head["version"] == _VERSION) & (head["family"] == _FAMILY) & (head["seed"] == _SEED)
    if not (expected & (head["flags"] == _FLAGS) & (head["longs"] >= 1) & (head["longs"] <= 3)).all():
        raise SketchError("bytes are no compact ordered Theta sketch with the default seed: compute their tile again")
    longs = head["longs"].astype(np.int64)
    counts = np.ones(len(sketches), np.int64)
    theta = np.full(len(sketches), _ALL, np.int64)
    several, cut = longs > 1, longs > 2
    counts[several] = _longs(sketches.buffer, starts[several] + 8) & 0xFFFFFFFF
    theta[cut] = _longs(sketches.buffer, starts[cut] + 16)
    if (sketches.lengths != 8 * (longs + counts)).any():
        raise SketchError("a Theta sketch is cut short: compute its tile again")
    return Thetas(theta, counts, gather(sketches.buffer, starts + 8 * longs, 8 * counts).buffer.view("<i8"))


def encode(sketches: Thetas) -> Ragged:
    """Return the bytes of sketches."""
    count = len(sketches.counts)
    head = np.zeros(count, _HEAD)
    cut = sketches.theta < _ALL
    several = cut | (sketches.counts > 1)
    head["longs"] = 1 + several.astype(np.int64) + cut
    head["version"], head["family"], head["flags"], head["seed"] = _VERSION, _FAMILY, _FLAGS, _SEED
    parts = [(sketches.counts, several), (sketches.theta, cut)]
    optional = [from_lengths(_bytes(values[which]), np.where(which, 8, 0)) for values, which in parts]
    return join_columns(count, [as_matrix(head), *optional, from_lengths(_bytes(sketches.hashes), 8 * sketches.counts)])


def union(sketches: Thetas, row: npt.NDArray[np.int64]) -> Thetas:
    """Merge sketches.

    Args:
        sketches: to merge.
        row: of each sketch: 0, 1, 2, ..., ascending; no row is without a sketch.

    Returns:
        A sketch per row, the same in whatever order and portions its values came.
    """
    heads = np.flatnonzero(np.diff(row, prepend=-1))
    theta = np.minimum.reduceat(sketches.theta, heads) if len(heads) else sketches.theta
    owner = np.repeat(row, sketches.counts)
    order = _order(owner, sketches.hashes, len(heads))
    owner, hashes = owner[order], sketches.hashes[order]
    is_new = (np.diff(owner, prepend=-1) != 0) | (np.diff(hashes, prepend=-1) != 0)
    kept = is_new & (hashes < theta[owner])
    owner, hashes = owner[kept], hashes[kept]
    counts = np.bincount(owner, minlength=len(heads)).astype(np.int64)
    starts = np.cumsum(counts) - counts
    full = counts > SIZE
    theta[full] = hashes[starts[full] + SIZE]
    kept = np.arange(len(owner)) - starts[owner] < SIZE
    return Thetas(theta, np.minimum(counts, SIZE), hashes[kept])


def _order(owner: Array, hashes: Array, owners: int) -> Array:
    """Return the order by owner, from 0, and hash."""
    bits = owners.bit_length()
    # One integer of an owner and all but the last bits of a hash is sorted several times faster than the two.
    order = np.argsort((owner << (63 - bits)) | (hashes >> bits), kind="stable")
    same_owner, step = np.diff(owner[order]) == 0, np.diff(hashes[order])
    return np.lexsort((hashes, owner)) if (same_owner & (step < 0)).any() else order


def _longs(buffer: Array, starts: Array) -> Array:
    return gather_matrix(buffer, starts, 8).reshape(-1).view("<i8")


def _bytes(values: Array) -> Array:
    return np.ascontiguousarray(values, "<i8").view(np.uint8)
