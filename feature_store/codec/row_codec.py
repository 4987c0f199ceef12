"""The bytes of one online row: every stored feature of one entity in one snapshot, decoded for a whole batch at once.

A row is: mark and checksum (``sealed_rows``), a bitmap of nulls, the fixed-width values side by side (a string is its
u32 offset and u32 length), zeros up to a multiple of four bytes, then the bytes of its strings, and zeros again. All is
little-endian. An array is its slots side by side, each with a bit of its own in the bitmap. The as-of stands in the
record of the generation, so that the row of an entity whose values did not change is the same bytes tomorrow.

Format 1, which is read and not written any more: layout id (u32) and as-of (i64 microseconds) instead of the first two,
and no zeros.

Longer than other modules while two formats are read: the older goes once no store can hold its rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import compress, repeat
from operator import is_not
from typing import Any, Final, cast

import numpy as np

from feature_store.codec.byte_strings import (
    Ragged,
    as_matrix,
    decode_utf8,
    encode_utf8,
    from_list,
    gather,
    gather_matrix,
)
from feature_store.codec.byte_strings import join_columns as join
from feature_store.codec.sealed_rows import WORD, OpenedRows, RowError, Seal, padding, seal
from feature_store.columns import Array, Column, Mask
from feature_store.dtypes import DType, String, dtype_from_name
from feature_store.errors import InputError

_FORMER: Final = 12
"""Bytes of the header of format 1."""

_STRING_PLACE: Final = np.dtype([("offset", "<u4"), ("length", "<u4")])


@dataclass(frozen=True)
class LayoutField:
    """A feature in a row: its name, type and fingerprint."""

    name: str
    dtype: DType
    fingerprint: str


@dataclass(frozen=True)
class EncodedRows(Ragged):
    """Rows as bytes, one per entity, in the order of the columns they were made from."""


@dataclass(frozen=True)
class DecodedRows:
    """Rows read back.

    Attributes:
        present: bool, shape ``(n,)``: whether the entity has a row that can be read.
        damaged: bool, shape ``(n,)``: whether it has one that cannot: changed, cut, of another entity or layout.
        columns: one column per feature asked for; null where the entity is not present.
    """

    present: Mask
    damaged: Mask
    columns: dict[str, Column]

    def spread(self, chosen: Mask) -> DecodedRows:
        """Return the rows of more entities, of which those that were read are the chosen ones, in order."""
        present, damaged = np.zeros((2, len(chosen)), np.bool_)
        present[chosen], damaged[chosen] = self.present, self.damaged
        columns = {name: _spread(column, chosen) for name, column in self.columns.items()}
        return DecodedRows(present, damaged, columns)


@dataclass(frozen=True)
class RowLayout:
    """The layout of a row: the features it holds, in order, and how they become bytes."""

    features: tuple[LayoutField, ...]

    def __post_init__(self) -> None:
        if not self.features:
            raise InputError("a row layout without features: give it at least one field")

    @cached_property
    def layout_id(self) -> int:
        """A u32 hash of the ordered names, types and fingerprints."""
        return int.from_bytes(self._digest[:4], "little")

    @cached_property
    def _digest(self) -> bytes:
        described = [[field.name, field.dtype.name, field.fingerprint] for field in self.features]
        return hashlib.sha256(json.dumps(described, separators=(",", ":")).encode()).digest()

    @cached_property
    def _seal(self) -> Seal:
        return Seal.of(self._digest, self._dtype.itemsize, is_fixed=not self._has_strings)

    def to_record(self) -> dict[str, Any]:
        """Return the layout as JSON-able data, the inverse of ``from_record``."""
        return {
            "layout_id": self.layout_id,
            "features": [
                {"name": field.name, "dtype": field.dtype.name, "fingerprint": field.fingerprint}
                for field in self.features
            ],
        }

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> RowLayout:
        """Read a layout from ``to_record``'s data.

        Raises:
            RowError: the features do not hash to the recorded layout id.
        """
        layout = RowLayout(
            tuple(
                LayoutField(field["name"], dtype_from_name(field["dtype"]), field["fingerprint"])
                for field in record["features"]
            )
        )
        if layout.layout_id != record["layout_id"]:
            raise RowError(
                f"layout record: its features hash to {layout.layout_id}, it says {record['layout_id']}: load it again"
            )
        return layout

    def encode(self, columns: Mapping[str, Column], keys: Ragged) -> EncodedRows:
        """Turn columns into rows.

        Args:
            columns: a column per feature of the layout, of equal lengths; others are ignored.
            keys: the encoded keys of their entities, under which alone the rows can be read.

        Raises:
            InputError: a column is missing, of another numpy type or shape, or of another length.
        """
        ordered = self._checked(columns)
        count = len(ordered[0])
        if len(keys) != count:
            raise InputError(f"{count} rows for {len(keys)} keys: give one key per row")
        fixed = np.zeros(count, self._dtype)
        fixed["mark"] = int.from_bytes(self._seal.mark, "little")
        nulls = ~np.column_stack([column.valid for column in ordered])
        fixed["nulls"] = np.packbits(nulls, axis=1, bitorder="little")
        tails: list[Ragged] = []
        filled = np.zeros(count, np.int64)
        for place, (field, column) in enumerate(zip(self.features, ordered, strict=True)):
            if field.dtype.element == String:
                tail, lengths = _encode_strings(column, field.dtype.slots)
                ends = filled[:, None] + np.cumsum(lengths, axis=1)
                fixed[f"{place}"]["offset"] = (ends - lengths).reshape(column.values.shape)
                fixed[f"{place}"]["length"] = lengths.reshape(column.values.shape)
                filled += tail.lengths
                tails.append(tail)
            else:
                fixed[f"{place}"][column.valid] = column.values[column.valid]
        rows = seal(join(count, [as_matrix(fixed), *tails, padding(filled)]), keys)
        return EncodedRows(rows.buffer, rows.offsets)

    def decode(
        self, values: Sequence[bytes | None], keys: Ragged, as_of: int, only: Collection[str] | None = None
    ) -> DecodedRows:
        """Turn rows back into columns; None stands for an entity without a row.

        A row that was changed, or that is of another entity, layout or (in format 1) as-of, is damaged, and nothing
        else than its own entity's values is null for it.

        Args:
            values: what the store returned, one per entity.
            keys: the encoded keys of these entities.
            as_of: the as-of that rows of format 1 must have, microseconds UTC.
            only: names of the features wanted; None: all.
        """
        present: Mask = np.fromiter(map(is_not, values, repeat(None)), np.bool_, len(values))
        is_whole = np.count_nonzero(present) == len(values)
        found = cast("Sequence[bytes]", values if is_whole else list(compress(values, present)))
        opened = self._seal.open(found, keys if is_whole else keys.select(present), partial(self._renewed, as_of))
        opened, columns = self._read(opened, only)
        if is_whole and np.count_nonzero(opened.sound) == len(values):
            return DecodedRows(present, ~present, columns)
        sound = np.zeros(len(values), np.bool_)
        sound[present] = opened.sound
        return DecodedRows(sound, present & ~sound, {name: _spread(each, sound) for name, each in columns.items()})

    def _read(self, opened: OpenedRows, only: Collection[str] | None) -> tuple[OpenedRows, dict[str, Column]]:
        """Return the columns of the rows that can be read, which are all but some of format 1."""
        try:
            return opened, self._columns(opened.rows, self._fixed_part(opened.rows), only)
        except RowError:
            if not opened.former.any():
                raise
            opened = opened.readable(lambda row: self._columns(row, self._fixed_part(row), only))
            return opened, self._columns(opened.rows, self._fixed_part(opened.rows), only)

    def _renewed(self, as_of: int, rows: Sequence[bytes]) -> list[bytes]:
        """Return rows of format 1 in the present format, but for the checksum; empty: it is none of that as-of."""
        promised = as_of.to_bytes(8, "little", signed=True)
        head, end, gap = (
            self._seal.mark + bytes(WORD),
            _FORMER + self._bare,
            bytes(self._dtype.itemsize - 8 - self._bare),
        )
        whole = self._is_whole([row if row[4:_FORMER] == promised and len(row) >= end else bytes(end) for row in rows])
        return [
            head + row[_FORMER:end] + gap + row[end:] + bytes(-(len(row) - end) % WORD) if is_whole else b""
            for row, is_whole in zip(rows, whole, strict=True)
        ]

    def _is_whole(self, rows: Sequence[bytes]) -> list[bool]:
        """Return which rows of format 1 have exactly the bytes of their strings; zeros are none."""
        listed, end = from_list(rows), _FORMER + self._bare
        fixed = gather_matrix(listed.buffer, listed.offsets[:-1] + _FORMER, self._bare).reshape(-1).view(self._values)
        total = np.full(len(rows), end, np.int64)
        for _, place, is_string in self._places:
            if is_string:
                total += fixed[place]["length"].astype(np.int64).reshape(len(rows), -1).sum(axis=1)
        starts = gather_matrix(listed.buffer, listed.offsets[:-1], WORD).any(axis=1)
        return ((total == listed.lengths) & starts).tolist()

    def _columns(self, rows: Ragged, fixed: Array, only: Collection[str] | None) -> dict[str, Column]:
        columns: dict[str, Column] = {}
        for (name, place, is_string), flags in zip(self._places, self._valid(fixed), strict=True):
            if only is None or name in only:
                stored = fixed[place]
                values = self._strings(rows, stored) if is_string else np.ascontiguousarray(stored)
                columns[name] = Column(values, flags)
        return columns

    def _valid(self, fixed: Array) -> Sequence[Mask]:
        """Return which values are not null by feature; where none is, all features of a shape share one array."""
        slots = [field.dtype.slots if field.dtype.is_array else None for field in self.features]
        if not np.count_nonzero(fixed["nulls"]):
            shared = {n: np.ones(len(fixed) if n is None else (len(fixed), n), np.bool_) for n in set(slots)}
            return [shared[n] for n in slots]
        nulls = np.unpackbits(fixed["nulls"], axis=1, count=self._bits, bitorder="little")
        valid: Mask = np.ascontiguousarray(nulls.T == 0)
        ends = np.cumsum([n or 1 for n in slots]).tolist()
        return [
            valid[end - 1] if n is None else np.ascontiguousarray(valid[end - n : end].T)
            for end, n in zip(ends, slots, strict=True)
        ]

    @cached_property
    def _places(self) -> list[tuple[str, str, bool]]:
        """Name, field of the fixed-width part and whether it is a string, of every feature."""
        return [(field.name, f"{place}", field.dtype.element == String) for place, field in enumerate(self.features)]

    @cached_property
    def _dtype(self) -> np.dtype[Any]:
        """The header, the bitmap and the fixed-width values as one packed numpy type, padded to whole words."""
        header = [("mark", "<u4"), ("checksum", "<u4")]
        return np.dtype([*header, *self._values, ("padding", "u1", (-self._bare % WORD,))])

    @cached_property
    def _values(self) -> list[tuple[Any, ...]]:
        """The bitmap and the fixed-width values, as fields of a numpy type."""
        values = ((f"{place}", *_element(field.dtype)) for place, field in enumerate(self.features))
        return [("nulls", "u1", ((self._bits + 7) // 8,)), *values]

    @cached_property
    def _bare(self) -> int:
        """The number of bytes these take."""
        return np.dtype(self._values).itemsize

    @cached_property
    def _bits(self) -> int:
        """The number of nulls that a row can hold."""
        return sum(field.dtype.slots for field in self.features)

    @cached_property
    def _has_strings(self) -> bool:
        return any(field.dtype.element == String for field in self.features)

    def _checked(self, columns: Mapping[str, Column]) -> list[Column]:
        ordered: list[Column] = []
        for field in self.features:
            if field.name not in columns:
                raise InputError(f"{field.name}: the rows lack this column; the layout needs {field.dtype.name}")
            column = columns[field.name]
            count = len(ordered[0]) if ordered else len(column)
            shape = (count, *field.dtype.shape)
            flags = shape if field.dtype.is_array else (count,)
            if (
                column.values.dtype != np.dtype(field.dtype.numpy)
                or column.values.shape != shape
                or column.valid.shape != flags
            ):
                raise InputError(
                    f"{field.name}: {column.values.dtype} values of shape {column.values.shape} with {len(column)} "
                    f"validity flags; {field.dtype.name} needs {np.dtype(field.dtype.numpy)} of shape {shape}"
                )
            ordered.append(column)
        return ordered

    def _fixed_part(self, rows: Ragged) -> Array:
        """Return the fixed-width parts of rows as a structured array."""
        if not self._has_strings:
            return rows.buffer.view(self._dtype)
        # Where the checksums were compared, the rows lie in a matrix already.
        return rows.heads(self._dtype.itemsize).view(self._dtype)[:, 0]

    def _strings(self, rows: Ragged, stored: Array) -> Array:
        shape = stored.shape
        slots = 1 if len(shape) == 1 else shape[1]
        offsets = stored["offset"].astype(np.int64).reshape(-1) + self._dtype.itemsize
        lengths = stored["length"].astype(np.int64).reshape(-1)
        if (offsets + lengths > np.repeat(rows.lengths, slots)).any():
            raise RowError("a row's strings are cut short: load the view's snapshot again")
        starts = np.repeat(rows.offsets[:-1], slots) + offsets
        try:
            return decode_utf8(gather(rows.buffer, starts, lengths)).reshape(shape)
        except UnicodeDecodeError as error:
            raise RowError(f"the strings of a row are no text ({error}): load the view's snapshot again") from error


def _encode_strings(column: Column, slots: int) -> tuple[Ragged, Array]:
    """Return the bytes of a column's strings, row by row, and how many each slot has, shape ``(n, slots)``."""
    strings = encode_utf8(np.where(column.valid, column.values, "").reshape(-1))
    return Ragged(strings.buffer, strings.offsets[::slots]), strings.lengths.reshape(-1, slots)


def _element(dtype: DType) -> tuple[Any, ...]:
    """Return the numpy type, and for vectors and arrays the shape, of a value in the fixed-width part."""
    element = _STRING_PLACE if dtype.element == String else dtype.numpy
    return (element, dtype.shape) if dtype.shape else (element,)


def _spread(found: Column, present: Mask) -> Column:
    """Put the values of the rows that exist at their places among all entities."""
    values = np.zeros((len(present), *found.values.shape[1:]), found.values.dtype)
    values[present] = found.values
    valid = np.zeros((len(present), *found.valid.shape[1:]), np.bool_)
    valid[present] = found.valid
    return Column(values, valid)
