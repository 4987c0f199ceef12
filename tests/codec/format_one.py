"""The encoders of format 1, as the release before format 2 had them: frozen here, to write what is out there still."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from feature_store.codec.row_codec import RowLayout
from feature_store.codec.stream_tiles import StreamTiles
from feature_store.codec.tile_codec import TileLayout
from feature_store.columns import Column
from feature_store.dtypes import Bytes, DType, String
from feature_store.temporal.durations import SECOND


def former_rows(layout: RowLayout, columns: Mapping[str, Column], as_of: int) -> list[bytes]:
    """Rows of a snapshot: layout id, as-of, bitmap, fixed-width values, strings."""
    count = len(next(iter(columns.values())))
    return [_row(layout, columns, as_of, place) for place in range(count)]


def former_tiles(layout: TileLayout, tiles: StreamTiles, complete_since: np.ndarray) -> list[bytes]:
    """Values of a stream view: layout id, number, two instants, then the tiles, then their strings."""
    ordered = tiles.in_order(layout.levels)
    return [_tiles(layout, ordered, place, int(since)) for place, since in enumerate(complete_since)]


def _row(layout: RowLayout, columns: Mapping[str, Column], as_of: int, place: int) -> bytes:
    bits: list[bool] = []
    fixed, tail = b"", b""
    for field in layout.features:
        column = columns[field.name]
        valid = np.atleast_1d(column.valid[place]).tolist()
        bits += [not each for each in valid]
        whole = np.broadcast_to(valid, (field.dtype.slots,) if field.dtype.is_array else (1,)).tolist()
        values = np.atleast_1d(column.values[place])
        if field.dtype.is_vector:
            fixed += (values if whole[0] else np.zeros_like(values)).tobytes()
            continue
        for value, is_there in zip(values, whole, strict=True):
            if field.dtype.element == String:
                text = value.encode() if is_there else b""
                fixed += len(tail).to_bytes(4, "little") + len(text).to_bytes(4, "little")
                tail += text
            else:
                fixed += np.array(value if is_there else 0, field.dtype.element.numpy).tobytes()
    head = layout.layout_id.to_bytes(4, "little") + as_of.to_bytes(8, "little", signed=True)
    return head + np.packbits(bits, bitorder="little").tobytes() + fixed + tail


def _tiles(layout: TileLayout, tiles: StreamTiles, place: int, since: int) -> bytes:
    own = np.flatnonzero(tiles.row == place).tolist()
    base = min((int(tiles.start[each]) for each in own), default=0)
    head = layout.layout_id.to_bytes(4, "little") + len(own).to_bytes(4, "little")
    head += since.to_bytes(8, "little", signed=True) + base.to_bytes(8, "little", signed=True)
    fixed, tail = b"", b""
    for each in own:
        states = {name: (tiles.states[name].values[each], tiles.states[name].valid[each]) for name, _ in layout.fields}
        nulls = np.packbits([not valid for _, valid in states.values()], bitorder="little").tobytes()
        level = bytes([layout.levels.index(int(tiles.span[each]))])
        fixed += level + ((int(tiles.start[each]) - base) // SECOND).to_bytes(4, "little") + nulls
        for name, dtype in layout.fields:
            part, text = _state(*states[name], dtype)
            fixed, tail = fixed + part, tail + text
    return head + fixed + tail


def _state(value: Any, valid: bool, dtype: DType) -> tuple[bytes, bytes]:
    if dtype in (String, Bytes):
        text = (value.encode() if dtype == String else value) if valid else b""
        return len(text).to_bytes(4, "little"), text
    return np.array(value if valid else 0, dtype.numpy).tobytes(), b""
