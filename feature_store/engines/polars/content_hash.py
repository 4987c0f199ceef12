"""Content hashes of Polars frames: their columns as ``codec.content_hash`` takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from feature_store.codec.byte_strings import Ragged, from_lengths
from feature_store.codec.content_hash import (
    WHOLE_ROWS,
    Bounds,
    Content,
    Hashes,
    contents,
    hash_bytes,
    hash_floats,
    hash_integers,
    hash_lists,
    hash_records,
    hash_structs,
)
from feature_store.columns import Mask

_AT_ONCE: Final = 32_768
"""Rows whose hashes stay in the cache of a core."""

_KINDS: Final = ((pl.Boolean, "boolean"), (pl.Datetime, "instant"), (pl.Date, "date"))
"""Types stored as integers that are none."""


def frame_contents(frame: pl.DataFrame, key: Sequence[str], bounds: Bounds, *, unique: bool) -> list[Content]:
    """Return what is known of each partition of a frame.

    Args:
        frame: rows in types that Delta stores, partition after partition; any order within one.
        key: columns that tell rows apart.
        bounds: where partitions begin; rows before the first and after the last bound are not looked at.
        unique: whether they tell every row apart.
    """
    found = [Content(0, tuple(sorted(key)), dict.fromkeys(_sums(frame, unique=unique), 0))] * (len(bounds) - 1)
    for start in range(int(bounds[0]), int(bounds[-1]), _AT_ONCE):
        piece = frame.slice(start, min(_AT_ONCE, int(bounds[-1]) - start)).rechunk()
        first = int(np.searchsorted(bounds, start, side="right")) - 1
        last = int(np.searchsorted(bounds, start + piece.height, side="left"))
        within = np.clip(bounds[first : last + 1] - start, 0, piece.height)
        hashes = {column.name: hash_column(column) for column in piece}
        for number, content in enumerate(contents(hashes, key, within, unique=unique), first):
            found[number] = found[number] + content
    return found


def _sums(frame: pl.DataFrame, *, unique: bool) -> list[str]:
    return frame.columns if unique else [*frame.columns, WHOLE_ROWS]


def hash_column(column: pl.Series) -> Hashes:
    """Return a hash per row; lists and arrays of equal elements are alike."""
    dtype, valid = column.dtype, _is_valid(column)
    if isinstance(dtype, pl.Array):
        return hash_column(column.arr.to_list())
    if isinstance(dtype, pl.List):
        lengths = _lengths(column.list.len())
        return hash_lists(hash_column(column.filter(lengths > 0).explode()), lengths, valid)
    if isinstance(dtype, pl.Struct):
        return hash_structs({field.name: hash_column(field) for field in column.struct.unnest()}, valid)
    if dtype == pl.String:
        return hash_bytes(_texts(column), valid)
    if dtype == pl.Binary:
        return hash_bytes(_binaries(column), valid, "bytes")
    if dtype.is_decimal():  # numpy has no integers of 128 bits
        return hash_bytes(_texts(column.cast(pl.String)), valid, "decimal")
    if dtype.is_float():
        return hash_floats(_filled(column), valid)
    return hash_integers(_filled(column), valid, next((kind for of, kind in _KINDS if dtype == of), "integer"))


def frame_digests(owner: str, frame: pl.DataFrame) -> pl.Series:
    """Return the digest of each row of a frame of records, as Int64; see ``hash_records``."""
    told = [column for column in frame if column.null_count() < len(column)]
    if not told:
        return pl.Series("digest", [None] * frame.height, pl.Int64)
    fields = {column.name: (hash_column(column), _is_valid(column)) for column in told}
    return pl.Series("digest", hash_records(owner, fields).view(np.int64))


# An expression on a series costs a tenth of a millisecond, more than the work on a small partition: nulls are counted.


def _is_valid(column: pl.Series) -> Mask:
    return column.is_not_null().to_numpy() if column.null_count() else np.ones(len(column), np.bool_)


def _filled(column: pl.Series) -> np.ndarray[tuple[int], np.dtype[Any]]:
    if column.dtype == pl.Boolean:
        column = column.cast(pl.UInt8)
    elif not column.dtype.is_numeric():
        column = column.to_physical()
    return (column.fill_null(0) if column.null_count() else column).to_numpy()


def _texts(column: pl.Series) -> Ragged:
    text = _told(column).str.join("").item() if len(column) else ""
    return from_lengths(np.frombuffer((text or "").encode(), np.uint8), _lengths(column.str.len_bytes()))


def _binaries(column: pl.Series) -> Ragged:
    digits = _told(column).bin.encode("hex").str.join("").item() if len(column) else ""
    return from_lengths(np.frombuffer(bytes.fromhex(digits or ""), np.uint8), _lengths(column.bin.size()))


def _told(column: pl.Series) -> pl.Series:
    return column.drop_nulls() if column.null_count() else column


def _lengths(lengths: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return _filled(lengths).astype(np.int64)
