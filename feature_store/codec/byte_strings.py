"""Rows of bytes, of equal or unequal lengths, built and joined for a whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from feature_store.columns import Array

_WORD: Final = 4
_WIDEST_MASKS: Final = 64
"""Masks of up to so many bytes are made once, and kept."""


@dataclass(frozen=True)
class Ragged:
    """Byte strings lying end to end in one buffer.

    Attributes:
        buffer: uint8, shape ``(total bytes,)``.
        offsets: int64, shape ``(n + 1,)``: row ``i`` is ``buffer[offsets[i]:offsets[i + 1]]``.
    """

    buffer: Array
    offsets: Array

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> Array:
        """Bytes per row, int64."""
        return np.diff(self.offsets)

    @cached_property
    def width(self) -> int | None:
        """The length that all rows share; None where they differ (or where there is no row)."""
        if not len(self):
            return None
        first = int(self.offsets[1] - self.offsets[0])
        return None if np.count_nonzero(self.offsets[1:] - self.offsets[:-1] != first) else first

    def take(self, start: int, stop: int) -> Ragged:
        """Return rows ``start`` to ``stop`` (exclusive), sharing their bytes."""
        offsets = self.offsets[start : stop + 1]
        return Ragged(self.buffer[offsets[0] : offsets[-1]], offsets - offsets[0])

    def select(self, chosen: Array) -> Ragged:
        """Return the rows that a mask chooses, in order."""
        if np.count_nonzero(chosen) == len(self):
            return self
        if self.width:
            return from_matrix(self.buffer.reshape(len(self), self.width)[chosen])
        return gather(self.buffer, self.offsets[:-1][chosen], self.lengths[chosen])

    @cached_property
    def head_and_tail(self) -> tuple[Array, Array]:
        """The rows as two matrices of uint8, cut where the shortest ends, at a whole word.

        The second is as wide as the longest needs, in whole words, with zeros after each row's last byte.
        """
        lengths, starts = self.lengths, self.offsets[:-1]
        common = int(lengths.min()) // _WORD * _WORD
        rest = -(-(int(lengths.max()) - common) // _WORD) * _WORD
        tail = gather_matrix(np.concatenate([self.buffer, np.zeros(rest, np.uint8)]), starts + common, rest)
        tail &= _first_bytes(lengths - common, rest)
        return gather_matrix(self.buffer, starts, common), tail

    def heads(self, width: int) -> Array:
        """Return the first bytes of every row, uint8 of shape ``(n, width)``; none may be shorter."""
        known = vars(self).get("head_and_tail")
        if known is None or known[0].shape[1] < width:
            return gather_matrix(self.buffer, self.offsets[:-1], width)
        return known[0][:, :width]

    def to_list(self) -> list[bytes]:
        """Return one ``bytes`` object per row.

        >>> encode_utf8(np.array(["a", "", "bc"], object)).to_list()
        [b'a', b'', b'bc']
        """
        if self.width:
            return self.buffer.view(f"V{self.width}").tolist()
        blob = self.buffer.tobytes()
        return list(map(blob.__getitem__, map(slice, self.offsets[:-1].tolist(), self.offsets[1:].tolist())))


def from_matrix(matrix: Array) -> Ragged:
    """Return the rows of a uint8 matrix of shape ``(n, width)``."""
    count, width = matrix.shape
    return Ragged(np.ascontiguousarray(matrix).reshape(-1), np.arange(count + 1, dtype=np.int64) * width)


def _first_bytes(counts: Array, width: int) -> Array:
    """Return masks of as many bytes as are counted, uint8 of shape ``(n, width)``: 255, then 0."""
    if width > _WIDEST_MASKS:
        return np.where(np.arange(width) < counts[:, np.newaxis], np.uint8(255), np.uint8(0))
    masks = _made_masks(width)
    return gather_matrix(masks, counts * width, width)


@lru_cache(_WIDEST_MASKS)
def _made_masks(width: int) -> Array:
    """Return the masks of 0 to ``width`` bytes, end to end."""
    return np.tril(np.full((width + 1, width), np.uint8(255)), -1).reshape(-1)


def as_matrix(values: Array) -> Array:
    """Return the bytes of a one-dimensional array's elements, uint8 of shape ``(n, itemsize)``."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.dtype.itemsize)


def from_lengths(buffer: Array, lengths: Array) -> Ragged:
    """Return rows of the given lengths lying end to end in ``buffer``."""
    return Ragged(buffer, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)]))


def from_list(values: Sequence[bytes]) -> Ragged:
    """Return rows that are given one by one, the inverse of ``Ragged.to_list``."""
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    return from_lengths(np.frombuffer(b"".join(values), np.uint8), lengths)


def join_columns(count: int, parts: Sequence[Array | Ragged | bytes]) -> Ragged:
    """Join parts side by side: row ``i`` of the result is row ``i`` of each part in turn.

    Args:
        count: number of rows.
        parts: uint8 matrices ``(n, width)``, ragged rows, or bytes that stand in every row.

    >>> join_columns(2, [b"<", encode_utf8(np.array(["a", "bcd"], object)), b">"]).to_list()
    [b'<a>', b'<bcd>']
    """
    pieces = [_simplest(count, part) for part in parts]
    matrices = [piece for piece in pieces if not isinstance(piece, Ragged)]
    if len(matrices) == len(pieces):
        return from_matrix(matrices[0] if len(matrices) == 1 else np.concatenate(matrices, axis=1))
    lengths: Array = np.zeros(count, np.int64)
    for piece in pieces:
        lengths += piece.lengths if isinstance(piece, Ragged) else piece.shape[1]
    joined = from_lengths(np.empty(int(lengths.sum()), np.uint8), lengths)
    starts = joined.offsets[:-1].copy()
    for piece in pieces:
        if isinstance(piece, Ragged):
            joined.buffer[_positions(starts, piece.lengths)] = piece.buffer
            starts += piece.lengths
        else:
            _place(joined.buffer, starts, piece)
            starts += piece.shape[1]
    return joined


def gather(buffer: Array, starts: Array, lengths: Array) -> Ragged:
    """Return the byte strings that lie at ``starts`` in ``buffer``."""
    return from_lengths(buffer[_positions(starts, lengths)], lengths)


def gather_matrix(buffer: Array, starts: Array, width: int) -> Array:
    """Return ``width`` bytes from each of ``starts``, uint8 of shape ``(n, width)``."""
    if not len(starts) or not width:
        return np.empty((len(starts), width), np.uint8)
    return _windows(buffer, width)[starts].view(np.uint8).reshape(len(starts), width)


def encode_utf8(strings: Array) -> Ragged:
    """Return the UTF-8 bytes of an object array of ``str``.

    Raises:
        UnicodeEncodeError: a string holds half of a surrogate pair.
    """
    listed: list[str] = strings.tolist()
    text = "".join(listed)
    buffer = np.frombuffer(text.encode(), np.uint8)
    ends = np.cumsum(np.fromiter(map(len, listed), np.int64, len(listed)))
    if len(buffer) != len(text):
        # A byte that does not continue a character starts one: the n-th such byte starts the n-th character.
        ends = np.append(np.flatnonzero((buffer & 0xC0) != 0x80), len(buffer))[ends]
    return Ragged(buffer, np.concatenate([np.zeros(1, np.int64), ends]))


def decode_utf8(strings: Ragged) -> Array:
    """Return the object array of ``str`` that ``encode_utf8`` was given."""
    decoded = np.empty(len(strings), object)
    decoded[:] = [encoded.decode() for encoded in strings.to_list()]
    return decoded


def _simplest(count: int, part: Array | Ragged | bytes) -> Array | Ragged:
    """Return a part as a matrix where its rows are of one width, since those are joined by plain copies."""
    if isinstance(part, bytes):
        repeated = np.empty((count, len(part)), np.uint8)
        repeated[:] = np.frombuffer(part, np.uint8)
        return repeated
    if isinstance(part, Ragged) and part.width is not None:
        return part.buffer.reshape(count, part.width)
    return part


def _windows(buffer: Array, width: int) -> Array:
    """View a buffer as overlapping elements of ``width`` bytes, one from each byte: indexing it copies whole rows."""
    return np.ndarray((len(buffer) - width + 1,), f"V{width}", buffer=buffer, strides=(1,))


def _place(buffer: Array, starts: Array, matrix: Array) -> None:
    width = matrix.shape[1]
    if width and len(starts):
        _windows(buffer, width)[starts] = np.ascontiguousarray(matrix).view(f"V{width}").reshape(-1)


def _positions(starts: Array, lengths: Array) -> Array:
    """Return the index of every byte of strings at ``starts``, string after string."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()), dtype=np.int64)
