"""The beginning of every online value, and the checksum that tells a damaged one: for a whole batch at once.

A value starts with four bytes of mark (the format, then three bytes of a hash of the layout) and a u32 checksum. Its
length is a multiple of four. The checksum is the upper half of a sum mod 2^64 over words of four bytes, little-endian,
of the value (but the checksum) and of the entity's key (zeros up to a whole word), each times an odd constant of its
place; plus both lengths times a constant. So no flipped bit passes, nor a row under another key.

Format 1, read and never written, has no checksum: it starts with the u32 id of its layout instead. A layout's mark is
made of other bytes of the hash than its id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from feature_store.codec.byte_strings import Ragged, from_lengths, from_list
from feature_store.columns import Array, Mask
from feature_store.errors import FeatureStoreError

FORMAT: Final = 2
WORD: Final = 4
"""Bytes; what the length of a value is a multiple of."""

_CHECKSUM: Final = 1
"""The place of the checksum among the words of a value."""

_MOST_PADDED: Final = 3
"""Up to so many times their own size, values of unequal lengths are padded to one length: that is faster."""

_FEW_WORDS: Final = 4
"""Up to so many words, such as those of most keys, are added column by column: that is faster."""

_OF_ROWS: Final = 0
_OF_KEYS: Final = 1 << 32


class RowError(FeatureStoreError):
    """A stored value, or the record of a layout, is not what its reader was promised."""


@dataclass(frozen=True)
class OpenedRows:
    """The values of a batch that can be read.

    Attributes:
        rows: the sound ones, in order, all of the present format.
        sound: bool, one per value given.
        former: bool, one per value given: it was of format 1, so no checksum speaks for it.
    """

    rows: Ragged
    sound: Mask
    former: Mask

    def readable(self, read: Callable[[Ragged], object]) -> OpenedRows:
        """Return the rows that can be read one by one, where reading them together raises ``RowError``."""

        def can_read(place: int) -> bool:
            try:
                read(self.rows.take(place, place + 1))
            except RowError:
                return False
            return True

        kept = np.fromiter(map(can_read, range(len(self.rows))), np.bool_, len(self.rows))
        sound = self.sound.copy()
        sound[sound] = kept
        return OpenedRows(self.rows.select(kept), sound, self.former & sound)


@dataclass(frozen=True)
class Seal:
    """The beginning of the values of one layout.

    Attributes:
        mark: their first four bytes.
        former: the first four bytes of those of format 1.
        least: how many bytes a value has at least.
        is_fixed: whether it never has more.
    """

    mark: bytes
    former: bytes
    least: int
    is_fixed: bool

    @staticmethod
    def of(digest: bytes, least: int, *, is_fixed: bool) -> Seal:
        """Return the seal of a layout.

        Args:
            digest: hash of its description, whose first four bytes are the layout's id.
            least: how many bytes a value has at least, a multiple of four.
            is_fixed: whether it never has more.
        """
        return Seal(bytes([FORMAT]) + digest[4:7], digest[:4], least, is_fixed)

    def open(
        self, values: Sequence[bytes], keys: Ragged, renew: Callable[[Sequence[bytes]], list[bytes]]
    ) -> OpenedRows:
        """Return which values are sound; if all are, they are looked at together and never one by one.

        Args:
            values: of some entities.
            keys: their encoded keys.
            renew: makes values of the present format of those of format 1; empty: it is none.
        """
        none = np.zeros(len(values), np.bool_)
        rows = self._joined(values)
        if rows is not None and self._is_marked(rows):
            fits = has_checksum(rows, keys)
            if np.count_nonzero(fits) == len(values):
                return OpenedRows(rows, fits, none)
        return self._open_each(values, keys, renew)

    def _joined(self, values: Sequence[bytes]) -> Ragged | None:
        """Return the values end to end; None: their lengths show that they are not all of this layout."""
        buffer = np.frombuffer(b"".join(values), np.uint8)
        if self.is_fixed:
            # A value with our mark has our width, so by induction from the first one, a wrong mark or a wrong total
            # betrays any other: the lengths need not be looked at one by one.
            if len(buffer) != len(values) * self.least:
                return None
            return Ragged(buffer, np.arange(len(values) + 1, dtype=np.int64) * self.least)
        rows = from_lengths(buffer, np.fromiter(map(len, values), np.int64, len(values)))
        return rows if self._is_long_enough(rows.lengths).all() else None

    def _is_long_enough(self, lengths: Array) -> Mask:
        return (lengths == self.least) if self.is_fixed else (lengths >= self.least) & (lengths % WORD == 0)

    def _is_marked(self, rows: Ragged) -> bool:
        return not np.count_nonzero(_word(rows, 0) != int.from_bytes(self.mark, "little"))

    def _open_each(
        self, values: Sequence[bytes], keys: Ragged, renew: Callable[[Sequence[bytes]], list[bytes]]
    ) -> OpenedRows:
        former = np.fromiter((value.startswith(self.former) for value in values), np.bool_, len(values))
        listed = list(values)
        if former.any():
            places = np.flatnonzero(former).tolist()
            for place, renewed in zip(places, renew([listed[place] for place in places]), strict=True):
                listed[place] = renewed
        lengths = np.fromiter(map(len, listed), np.int64, len(listed))
        marked = np.fromiter((value.startswith(self.mark) for value in listed), np.bool_, len(listed))
        sound = self._is_long_enough(lengths) & marked
        whole = from_list([value for value, is_whole in zip(listed, sound, strict=True) if is_whole])
        fits = has_checksum(whole, keys.select(sound)) | former[sound]
        sound[sound] = fits
        return OpenedRows(whole.select(fits), sound, former & sound)


def seal(rows: Ragged, keys: Ragged) -> Ragged:
    """Return rows with their checksums, which are written into them in place.

    Args:
        rows: of lengths that are multiples of four, at least eight; what stands in the checksum's place is ignored.
        keys: the encoded keys of their entities.
    """
    if len(rows):
        rows.buffer.view("<u4")[rows.offsets[:-1] // WORD + _CHECKSUM] = _checksums(rows, keys)
    return rows


def has_checksum(rows: Ragged, keys: Ragged) -> Mask:
    """Return which rows hold the checksum of their bytes under their keys; see ``seal``."""
    if not len(rows):
        return np.zeros(0, np.bool_)
    sums = _checksums(rows, keys)  # first: it lays the rows out so that a word of each is found at once
    return _word(rows, _CHECKSUM) == sums


def padding(lengths: Array) -> Ragged:
    """Return the zero bytes that make lengths multiples of four."""
    missing = -lengths % WORD
    return from_lengths(np.zeros(int(missing.sum()), np.uint8), missing)


def _word(rows: Ragged, place: int) -> Array:
    """Return the word at a place of every row."""
    if rows.width is None:
        return rows.heads(WORD * (place + 1)).view("<u4")[:, place]
    return rows.buffer.view("<u4").reshape(len(rows), -1)[:, place]


def _checksums(rows: Ragged, keys: Ragged) -> Array:
    total = _sums(rows, _OF_ROWS)
    total += _sums(keys, _OF_KEYS)
    return total.astype("<u8", copy=False).view("<u4")[1::2]


def _sums(values: Ragged, of_what: int) -> Array:
    """Return per value the sum mod 2^64 of its words, and of its length, times the constants of their places.

    Args:
        values: some; what lacks to a whole word is zero.
        of_what: where the sequence of constants begins.
    """
    width = values.width
    if width is not None and width % WORD == 0:
        constants = _constants(of_what, width // WORD)
        words = values.buffer.view("<u4").reshape(len(values), width // WORD)
        return _products(words, constants[1:]) + np.uint64(int(constants[0]) * width % 2**64)
    lengths = values.lengths
    longest = -(-int(lengths.max()) // WORD)
    constants = _constants(of_what, longest)
    total: Array = lengths.astype(np.uint64) * constants[0]
    if WORD * longest * len(values) > _MOST_PADDED * (len(values.buffer) + WORD * len(values)):
        return total + _sums_one_by_one(values, constants[1:])
    head, tail = (part.view("<u4") for part in values.head_and_tail)
    return total + _products(head, constants[1:]) + _products(tail, constants[1 + head.shape[1] :])


def _products(words: Array, constants: Array) -> Array:
    """Return per row the sum mod 2^64 of its words times the constants of their places."""
    width, wide = words.shape[1], words.astype(np.uint64)
    if not 0 < width <= _FEW_WORDS:
        return wide @ constants[:width]
    total: Array = wide[:, 0] * constants[0]
    for place in range(1, width):
        total += wide[:, place] * constants[place]
    return total


def _sums_one_by_one(values: Ragged, constants: Array) -> Array:
    """Return per value the sum of its words times constants, where few values are much longer than the others."""
    lengths = values.lengths
    ends = np.cumsum(lengths)
    place = np.arange(len(values.buffer)) - np.repeat(ends - lengths, lengths)
    shift = (8 * (place % WORD)).astype(np.uint64)
    products = (values.buffer.astype(np.uint64) << shift) * constants[place // WORD]
    so_far = np.concatenate([np.zeros(1, np.uint64), np.cumsum(products, dtype=np.uint64)])
    return so_far[ends] - so_far[ends - lengths]


def _constants(of_what: int, width: int) -> Array:
    """Return the constant of the length, then those of at least ``width`` places; rounded up, so that few are kept."""
    return _made_constants(of_what, 1 << max(width, 15).bit_length())


@lru_cache(64)
def _made_constants(of_what: int, count: int) -> Array:
    """Return numbers of SplitMix64 (Steele, Lea, Flood 2014), made odd; of rows, the checksum itself counts nothing."""
    mixed = np.arange(of_what + 1, of_what + count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    constants = (mixed ^ (mixed >> np.uint64(31))) | np.uint64(1)
    if of_what == _OF_ROWS:
        constants[1 + _CHECKSUM] = 0
    constants.flags.writeable = False
    return constants
