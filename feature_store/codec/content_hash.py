"""Content hash v2: sums of hashes by column, equal for equal rows whatever engine, order or shard they come from.

The sum of a column is that of ``mix(hash(key), hash(value))`` over its rows, modulo 2**64; the key is what tells rows
apart. So sums of shards add up to those of the whole, and those of some columns can be compared without the others. A
changed cell changes the sum of its column, since ``mix`` is a bijection of the value's hash; values that changed places
do, since each is mixed with its key. Rows that no key tells apart have one more sum, of hashes of whole rows.

Canonical values: -0.0 is 0.0, NaN is null, integers of every width are alike, Float32 is what it is as a Float64.

Sources: the finalizer is variant 13 of D. Stafford, "Better Bit Mixing" (2011), as in SplitMix64.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from feature_store.codec.byte_strings import Ragged
from feature_store.columns import Array, Mask

Hashes = npt.NDArray[np.uint64]
"""One hash per row."""

Bounds = npt.NDArray[np.int64]
"""Row numbers at which partitions begin, and the number of rows: shape ``(partitions + 1,)``."""

WHOLE_ROWS: Final = "*"
"""The name of the sum of whole rows among the sums of columns."""

_MODULUS: Final = 1 << 64
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_STEPS: Final = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST: Final = np.uint64(31)


@dataclass(frozen=True)
class Content:
    """Facts of some rows: how many they are, and the sums of their columns; those of shards add up.

    Attributes:
        rows: their number.
        key: the columns that were mixed into the sums, sorted.
        sums: sum by column, and of whole rows where the key does not tell rows apart.
    """

    rows: int
    key: tuple[str, ...]
    sums: Mapping[str, int]

    @property
    def digest(self) -> str:
        """A short hash of all of it, 32 hexadecimal digits."""
        told = json.dumps([self.rows, self.key, sorted(self.sums.items())])
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    @property
    def text(self) -> str:
        """Key and sums as JSON, which ledgers keep beside the number of rows."""
        sums = {name: f"{of:016x}" for name, of in sorted(self.sums.items())}
        return json.dumps({"key": self.key, "sums": sums}, separators=(",", ":"))

    @staticmethod
    def from_text(rows: int, text: str) -> Content:
        """Read what ledgers keep; see ``text``."""
        told = json.loads(text)
        return Content(rows, tuple(told["key"]), {name: int(of, 16) for name, of in told["sums"].items()})

    def __add__(self, other: Content) -> Content:
        """Return what is known of the rows of both, which have the same key and columns."""
        sums = {name: (of + other.sums[name]) % _MODULUS for name, of in self.sums.items()}
        return Content(self.rows + other.rows, self.key, sums)

    def differences(self, other: Content) -> list[str]:
        """Return in which of the columns that both know the rows differ; ``rows`` where their number does."""
        found = [name for name in sorted(self.sums.keys() & other.sums.keys()) if self.sums[name] != other.sums[name]]
        return (["rows"] if self.rows != other.rows else []) + found


def contents(columns: Mapping[str, Hashes], key: Sequence[str], bounds: Bounds, *, unique: bool) -> list[Content]:
    """Return what is known of each partition of some rows.

    Args:
        columns: hashes of the values of every column.
        key: columns that tell rows apart; hashes of some of them alone are of no use.
        bounds: where partitions begin.
        unique: whether they tell every row apart; else whole rows have a sum too.
    """
    told_apart = tuple(sorted(key))
    keys = hash_structs({name: columns[name] for name in told_apart}, None)
    sums = {name: _partition_sums(_pair(keys, of), bounds) for name, of in columns.items()}
    if not unique:
        sums[WHOLE_ROWS] = _partition_sums(_mix(hash_structs(columns, None)), bounds)
    rows = np.diff(bounds).tolist()
    return [Content(count, told_apart, {name: of[at] for name, of in sums.items()}) for at, count in enumerate(rows)]


def hash_integers(values: Array, valid: Mask, kind: str = "integer") -> Hashes:
    """Return hashes of whole numbers: integers, and instants and dates as such.

    Args:
        values: of any integer type, or boolean; those that are not valid may be anything.
        valid: whether a row has a value.
        kind: of value: 1 is another value than true.
    """
    return _finish(values.astype(np.int64).view(np.uint64), valid, kind)


def hash_floats(values: Array, valid: Mask) -> Hashes:
    """Return hashes of floats; NaN is null.

    Args:
        values: Float32 or Float64; those that are not valid may be anything.
        valid: whether a row has a value.
    """
    doubles = values.astype(np.float64) + 0.0  # -0.0 becomes 0.0
    return _finish(doubles.view(np.uint64), valid & ~np.isnan(doubles), "float")


def hash_bytes(strings: Ragged, valid: Mask, kind: str = "text") -> Hashes:
    """Return hashes of byte strings; a text is its UTF-8 bytes.

    Args:
        strings: empty where not valid.
        valid: whether a row has a value.
        kind: of value: a text is another value than its bytes.
    """
    lengths = strings.lengths
    words = (lengths + 7) // 8
    place = _places(words)
    buffer = np.concatenate([strings.buffer, np.zeros(8, np.uint8)])
    from_each_byte = np.ndarray((len(buffer) - 7,), "<u8", buffer=buffer, strides=(1,))
    found = from_each_byte[np.repeat(strings.offsets[:-1], words) + 8 * place].astype(np.uint64, copy=False)
    beyond = np.clip(8 * (place + 1) - np.repeat(lengths, words), 0, 8).astype(np.uint64)
    found &= np.uint64(0xFFFFFFFFFFFFFFFF) >> (beyond * np.uint64(8))
    return _finish(_sequences(found, place, words) + lengths.astype(np.uint64) * _GOLDEN, valid, kind)


def hash_lists(elements: Hashes, lengths: npt.NDArray[np.int64], valid: Mask) -> Hashes:
    """Return hashes of lists and arrays.

    Args:
        elements: hashes of the elements of all rows, end to end.
        lengths: elements per row; 0 where not valid.
        valid: whether a row has a value.
    """
    return _finish(_sequences(elements, _places(lengths), lengths) + lengths.astype(np.uint64) * _GOLDEN, valid, "list")


def hash_structs(fields: Mapping[str, Hashes], valid: Mask | None) -> Hashes:
    """Return hashes of structs, whatever the order of their fields.

    Args:
        fields: hashes of each field's values, by name.
        valid: whether a row has a value; None: all have.
    """
    total: Hashes = np.zeros(len(next(iter(fields.values()))), np.uint64)
    for name, of in fields.items():
        total += _mix(of + _seed(f"field {name}"))
    return _finish(total, valid, "struct")


def hash_records(owner: str, fields: Mapping[str, tuple[Hashes, Mask]]) -> Hashes:
    """Return hashes of records; fields that are null do not count, so that later records may have more of them.

    Args:
        owner: what the records belong to: those of others are others.
        fields: by name, hashes of the values, and which of them are not null.
    """
    total: Hashes = np.full(len(next(iter(fields.values()))[0]), _seed(f"owner {owner}"), np.uint64)
    for name, (hashes, valid) in fields.items():
        mixed = _mix(hashes + _seed(f"field {name}"))
        mixed[~valid] = 0
        total += mixed
    return _mix(total)


def _sequences(elements: Hashes, place: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Hashes:
    """Return per row the sum of its elements, each mixed with its place."""
    mixed = _pair(_mix(place.astype(np.uint64) + _GOLDEN), elements)
    until = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
    ends = np.cumsum(lengths)
    return until[ends] - until[ends - lengths]


def _places(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the place of every element in its row, from 0."""
    ends = np.cumsum(lengths)
    return np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(ends - lengths, lengths)


def _finish(words: Hashes, valid: Mask | None, kind: str) -> Hashes:
    hashes = _mix(words + _seed(kind))
    if valid is not None and not valid.all():
        hashes[~valid] = _seed("null")
    return hashes


def _pair(keys: Hashes, values: Hashes) -> Hashes:
    paired = keys * _GOLDEN
    paired += values
    return _mix(paired)


def _mix(words: Hashes) -> Hashes:
    """Mix the bits of every word, in place, and return the words."""
    shifted = np.empty_like(words)
    for shift, factor in _STEPS:
        np.right_shift(words, shift, out=shifted)
        np.bitwise_xor(words, shifted, out=words)
        np.multiply(words, factor, out=words)
    np.right_shift(words, _LAST, out=shifted)
    np.bitwise_xor(words, shifted, out=words)
    return words


def _partition_sums(hashes: Hashes, bounds: Bounds) -> list[int]:
    filled = np.flatnonzero(np.diff(bounds))
    sums: Hashes = np.zeros(len(bounds) - 1, np.uint64)
    if len(filled):
        sums[filled] = np.add.reduceat(hashes[: bounds[-1]], bounds[filled])
    return sums.tolist()


@cache
def _seed(word: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little"))
