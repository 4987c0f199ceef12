"""The bytes of one online row: every stored feature of one entity in one snapshot, decoded for a whole batch at once.

A row is: layout id (u32) and as-of (i64 microseconds), a bitmap of nulls, the fixed-width values side by side (a string
is its u32 offset and u32 length), then the bytes of its strings. Everything is little-endian. An array is its slots
side by side, each with a bit of its own in the bitmap.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, repeat
from operator import is_not
from typing import Any, Final, cast

import numpy as np

from feature_store.codec.byte_strings import (
    Ragged,
    as_matrix,
    decode_utf8,
    encode_utf8,
    from_lengths,
    gather,
    gather_matrix,
)
from feature_store.codec.byte_strings import join_columns as join
from feature_store.columns import Array, Column, Mask
from feature_store.dtypes import DType, String, dtype_from_name
from feature_store.errors import FeatureStoreError, InputError

_STRING_PLACE: Final = np.dtype([("offset", "<u4"), ("length", "<u4")])


class RowError(FeatureStoreError):
    """A stored row is not of the layout or the as-of that its reader was promised."""


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
        present: bool, shape ``(n,)``: whether the entity has a row.
        columns: one column per feature asked for; null where the entity has no row.
    """

    present: Mask
    columns: dict[str, Column]


@dataclass(frozen=True)
class RowLayout:
    """Which features a row holds, in order, and how they become bytes."""

    features: tuple[LayoutField, ...]

    def __post_init__(self) -> None:
        if not self.features:
            raise InputError("a row layout without features: give it at least one field")

    @cached_property
    def layout_id(self) -> int:
        """A u32 hash of the ordered names, types and fingerprints; it stands in every row's header."""
        described = [[field.name, field.dtype.name, field.fingerprint] for field in self.features]
        digest = hashlib.sha256(json.dumps(described, separators=(",", ":")).encode()).digest()
        return int.from_bytes(digest[:4], "little")

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

    def encode(self, columns: Mapping[str, Column], as_of: int) -> EncodedRows:
        """Turn columns into rows.

        Args:
            columns: a column per feature of the layout, of equal lengths; others are ignored.
            as_of: the snapshot's as-of, microseconds UTC.

        Raises:
            InputError: a column is missing, of another numpy type or shape, or of another length.
        """
        ordered = self._checked(columns)
        count = len(ordered[0])
        fixed = np.zeros(count, self._dtype)
        fixed["layout"] = self.layout_id
        fixed["as_of"] = as_of
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
        rows = join(count, [as_matrix(fixed), *tails])
        return EncodedRows(rows.buffer, rows.offsets)

    def decode(self, values: Sequence[bytes | None], as_of: int, only: Collection[str] | None = None) -> DecodedRows:
        """Turn rows back into columns; None stands for an entity without a row.

        Args:
            values: what the store returned, one per entity.
            as_of: the as-of that every row must have, microseconds UTC.
            only: names of the features wanted; None: all.

        Raises:
            RowError: a row has another layout id or as-of, is cut short, or holds bytes that are no text.
        """
        present, rows = self._found(values)
        fixed = self._fixed_part(rows)
        self._check_promises(fixed, as_of)
        columns = self._columns(rows, fixed, only)
        if len(fixed) != len(present):
            columns = {name: _spread(column, present) for name, column in columns.items()}
        return DecodedRows(present, columns)

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

    def _check_promises(self, fixed: Array, as_of: int) -> None:
        layouts = fixed["layout"]
        if np.count_nonzero(layouts != self.layout_id):
            raise RowError(
                f"a row of layout {int(layouts[layouts != self.layout_id][0])} stands where "
                f"layout {self.layout_id} was promised: load the view's snapshot again"
            )
        as_ofs = fixed["as_of"]
        if np.count_nonzero(as_ofs != as_of):
            raise RowError(
                f"a row with as-of {int(as_ofs[as_ofs != as_of][0])} stands where {as_of} was "
                f"promised: load the view's snapshot again"
            )

    @cached_property
    def _places(self) -> list[tuple[str, str, bool]]:
        """Name, field of the fixed-width part and whether it is a string, of every feature."""
        return [(field.name, f"{place}", field.dtype.element == String) for place, field in enumerate(self.features)]

    @cached_property
    def _dtype(self) -> np.dtype[Any]:
        """The header, the bitmap and the fixed-width values as one packed numpy type."""
        return np.dtype(
            [
                ("layout", "<u4"),
                ("as_of", "<i8"),
                ("nulls", "u1", ((self._bits + 7) // 8,)),
                *((f"{place}", *_element(field.dtype)) for place, field in enumerate(self.features)),
            ]
        )

    @cached_property
    def _bits(self) -> int:
        """How many nulls a row can hold."""
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

    def _found(self, values: Sequence[bytes | None]) -> tuple[Mask, Ragged]:
        """Return which entities have a row, and those rows."""
        present: Mask = np.fromiter(map(is_not, values, repeat(None)), np.bool_, len(values))
        is_whole = np.count_nonzero(present) == len(values)
        found = cast("Sequence[bytes]", values if is_whole else list(compress(values, present)))
        buffer = np.frombuffer(b"".join(found), np.uint8)
        if self._has_strings:
            return present, from_lengths(buffer, np.fromiter(map(len, found), np.int64, len(found)))
        # A whole row that shows our layout id has our width, so by induction from the first row, one wrong id or
        # one wrong total betrays any row of another layout: the lengths need not be looked at one by one.
        if len(buffer) != len(found) * self._dtype.itemsize:
            raise RowError(
                f"{len(found)} rows of layout {self.layout_id} have {len(found) * self._dtype.itemsize} bytes, "
                f"these have {len(buffer)}: load the view's snapshot again"
            )
        return present, Ragged(buffer, np.arange(len(found) + 1, dtype=np.int64) * self._dtype.itemsize)

    def _fixed_part(self, rows: Ragged) -> Array:
        """Return the fixed-width parts of rows as a structured array."""
        fixed = rows.buffer
        if self._has_strings:
            lengths = rows.lengths
            if (lengths < self._dtype.itemsize).any():
                raise RowError(f"a row of {lengths.min()} bytes is cut short: load the view's snapshot again")
            fixed = gather_matrix(rows.buffer, rows.offsets[:-1], self._dtype.itemsize)
        return fixed.reshape(-1).view(self._dtype)

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
