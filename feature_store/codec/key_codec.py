"""The bytes of an entity's key: unambiguous for composite keys, ordered like the values for whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from feature_store.codec.byte_strings import Ragged, as_matrix, encode_utf8, join_columns
from feature_store.columns import Array, Column, Mask
from feature_store.dtypes import KEY_DTYPES, DType
from feature_store.errors import InputError

_KEY_TYPES: Final = {dtype.name: np.dtype(dtype.numpy) for dtype in KEY_DTYPES}


@dataclass(frozen=True)
class EncodedKeys:
    """Keys of a batch of entities.

    Attributes:
        keys: the bytes of the entities that have a key, in order; those with a null key have none.
        valid: bool, shape ``(n,)``: False where any of an entity's key columns is null.
    """

    keys: Ragged
    valid: Mask


def encode_keys(columns: Sequence[Column], dtypes: Sequence[DType]) -> EncodedKeys:
    """Encode entity keys: Int64 as 8 bytes that sort like the numbers, String as a u32 length and UTF-8.

    Args:
        columns: the key columns in the entity's order, of equal lengths.
        dtypes: their types, Int64 or String.

    Raises:
        InputError: a column is of another type, or the lengths differ.

    >>> from feature_store.dtypes import Int64
    >>> column = Column(np.array([-1, 0, 7]), np.array([True, True, False]))
    >>> encoded = encode_keys([column], [Int64])
    >>> [key.hex() for key in encoded.keys.to_list()], encoded.valid.tolist()
    (['7fffffffffffffff', '8000000000000000'], [True, True, False])
    """
    if len({len(column) for column in columns}) != 1:
        raise InputError(f"key columns have {[len(column) for column in columns]} rows: give one key per entity")
    valid = columns[0].valid if len(columns) == 1 else np.logical_and.reduce([column.valid for column in columns])
    count = int(np.count_nonzero(valid))
    parts = [
        part
        for place, (column, dtype) in enumerate(zip(columns, dtypes, strict=True))
        for part in _encode(place, column.values if count == len(valid) else column.values[valid], dtype)
    ]
    return EncodedKeys(join_columns(count, parts), valid)


def _encode(place: int, values: Array, dtype: DType) -> list[Array | Ragged]:
    if dtype.name not in _KEY_TYPES or values.dtype != _KEY_TYPES[dtype.name]:
        raise InputError(
            f"key column {place}: {values.dtype} values cannot be read as {dtype.name}: keys are Int64 or String"
        )
    if dtype.is_integer:
        # Flipping the sign bit makes negative numbers sort before positive ones.
        return [as_matrix((values.view(np.uint64) ^ np.uint64(1 << 63)).astype(">u8"))]
    encoded = encode_utf8(values)
    return [as_matrix(encoded.lengths.astype(">u4")), encoded]
