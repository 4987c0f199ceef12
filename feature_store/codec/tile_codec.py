"""The bytes of one entity's tiles in the online store, decoded for a whole batch of entities at once.

A value is: mark and checksum (``sealed_rows``), number of tiles (u32), the instant since which it is complete and the
first start of its tiles (i64 microseconds each); then per tile its level (u8), its start (u32 seconds after the first),
a bitmap of nulls and the fixed-width fields of its states side by side (a string or a sketch is its u32 length); then
the bytes of the strings and sketches of all tiles in that order; then zeros up to a multiple of four bytes. Everything
is little-endian.

Format 1, which is read and not written any more: layout id (u32) instead of the first two, and no zeros.

Longer than other modules while two formats are read: the older goes once no store can hold its rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
    from_list,
    gather,
    gather_matrix,
)
from feature_store.codec.byte_strings import join_columns as join
from feature_store.codec.sealed_rows import WORD, RowError, Seal, padding, seal
from feature_store.codec.stream_tiles import StreamTiles
from feature_store.columns import Array, Column, Mask
from feature_store.dtypes import Bytes, DType, String, dtype_from_name
from feature_store.errors import InputError
from feature_store.model.states import State
from feature_store.plans.stream_plan import StreamPlan, state_from_record
from feature_store.temporal.durations import SECOND
from feature_store.temporal.tile_levels import Instants

_HEADER: Final = np.dtype(
    [("mark", "<u4"), ("checksum", "<u4"), ("count", "<u4"), ("complete_since", "<i8"), ("base", "<i8")]
)
_FORMER: Final = 24
"""Bytes of the header of format 1."""

_LENGTH: Final = np.dtype("<u4")
_MOST_SECONDS: Final = 2**32 - 1
_VARIABLE: Final = (String, Bytes)
_AGAIN: Final = "load the view's batch tiles again, or restart its stream writer"


@dataclass(frozen=True)
class DecodedTiles:
    """Values read back.

    Attributes:
        present: bool, shape ``(n,)``: whether the entity has a value that can be read.
        damaged: bool, shape ``(n,)``: whether it has one that cannot: changed, cut, of another entity or layout.
        complete_since: int64 microseconds of those that are present, in order.
        tiles: of all entities; ``row`` counts all entities, with and without a value.
    """

    present: Mask
    damaged: Mask
    complete_since: Instants
    tiles: StreamTiles

    def spread(self, chosen: Mask) -> DecodedTiles:
        """Return the tiles of more entities, of which those that were read are the chosen ones, in order."""
        present, damaged = np.zeros((2, len(chosen)), np.bool_)
        present[chosen], damaged[chosen] = self.present, self.damaged
        tiles = replace(self.tiles, row=np.flatnonzero(chosen)[self.tiles.row])
        return DecodedTiles(present, damaged, self.complete_since, tiles)


@dataclass(frozen=True)
class TileLayout:
    """The layout of a view's tiles: what they are made of, and how they become bytes.

    Attributes:
        levels: spans of the tiles, microseconds, ascending.
        states: the states of a tile, in order.
    """

    levels: tuple[int, ...]
    states: tuple[State, ...]

    @staticmethod
    def of(plan: StreamPlan) -> TileLayout:
        """Return the layout of a view's tiles."""
        return TileLayout(plan.levels, plan.states)

    @cached_property
    def layout_id(self) -> int:
        """A u32 hash of the levels and of the states' names, types and fingerprints."""
        return int.from_bytes(self._digest[:4], "little")

    @cached_property
    def _digest(self) -> bytes:
        return hashlib.sha256(json.dumps(asdict(self), separators=(",", ":")).encode()).digest()

    @cached_property
    def _seal(self) -> Seal:
        return Seal.of(self._digest, _HEADER.itemsize, is_fixed=False)

    def to_record(self) -> dict[str, Any]:
        """Return the layout as JSON-able data, the inverse of ``from_record``."""
        return {"layout_id": self.layout_id, **asdict(self)}

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> TileLayout:
        """Read a layout from ``to_record``'s data.

        Raises:
            RowError: it does not hash to the recorded layout id.
        """
        layout = TileLayout(tuple(record["levels"]), tuple(state_from_record(state) for state in record["states"]))
        if layout.layout_id != record["layout_id"]:
            raise RowError(f"tile layout record: it hashes to {layout.layout_id}, not {record['layout_id']}: {_AGAIN}")
        return layout

    def encode(self, tiles: StreamTiles, complete_since: Instants, keys: Ragged) -> Ragged:
        """Turn tiles into one value per entity.

        Args:
            tiles: of all entities; ``row`` is the entity, from 0.
            complete_since: per entity, int64 microseconds.
            keys: the encoded keys of the entities, under which alone the values can be read.

        Raises:
            InputError: a state lacks, a tile is of no level of the layout, or the tiles of an entity lie 136 years
                apart.
        """
        ordered = tiles.in_order(self.levels)
        count = len(complete_since)
        per_entity = np.bincount(ordered.row, minlength=count).astype(np.int64)
        header = np.zeros(count, _HEADER)
        header["mark"] = int.from_bytes(self._seal.mark, "little")
        header["count"] = per_entity
        header["complete_since"] = complete_since
        header["base"] = _first_starts(ordered, per_entity)
        fixed, tails = self._encode_tiles(ordered, header["base"])
        parts: list[Array | Ragged] = [
            as_matrix(header),
            from_lengths(fixed.view(np.uint8), per_entity * self._dtype.itemsize),
        ]
        if tails:
            tail = join(len(ordered), tails)
            parts.append(Ragged(tail.buffer, tail.offsets[_bounds(per_entity)]))
        lengths = sum((part.lengths for part in parts if isinstance(part, Ragged)), np.zeros(count, np.int64))
        return seal(join(count, [*parts, padding(lengths)]), keys)

    def decode(self, values: Sequence[bytes | None], keys: Ragged, only: Collection[str] | None = None) -> DecodedTiles:
        """Turn values back into tiles; None stands for an entity without a value.

        A value that was changed, or that is of another entity or layout, is damaged: its own entity alone has no tiles.

        Args:
            values: what the store returned, one per entity.
            keys: the encoded keys of these entities.
            only: names of the fields wanted; None: all.
        """
        present: Mask = np.fromiter(map(is_not, values, repeat(None)), np.bool_, len(values))
        found = cast("Sequence[bytes]", values if present.all() else list(compress(values, present)))
        opened = self._seal.open(found, keys.select(present), self._renewed)
        try:
            header, tiles = self._read(opened.rows, only)
        except RowError:
            if not opened.former.any():
                raise
            opened = opened.readable(lambda row: self._read(row, only))
            header, tiles = self._read(opened.rows, only)
        sound = np.zeros(len(values), np.bool_)
        sound[present] = opened.sound
        tiles = replace(tiles, row=np.flatnonzero(sound)[tiles.row])
        return DecodedTiles(sound, present & ~sound, header["complete_since"].astype(np.int64), tiles)

    def _read(self, rows: Ragged, only: Collection[str] | None) -> tuple[Array, StreamTiles]:
        """Return the headers and the tiles of values; the row of a tile is the place of its value."""
        header = self._header(rows)
        per_entity = header["count"].astype(np.int64)
        entity = np.repeat(np.arange(len(rows)), per_entity)
        size = self._dtype.itemsize
        place = np.arange(len(entity)) - np.repeat(_bounds(per_entity)[:-1], per_entity)
        starts = rows.offsets[:-1][entity] + _HEADER.itemsize + place * size
        fixed = gather_matrix(rows.buffer, starts, size).reshape(-1).view(self._dtype)
        if (fixed["level"] >= len(self.levels)).any():
            raise RowError(f"a tile is of level {fixed['level'].max()}, its layout has {len(self.levels)}: {_AGAIN}")
        texts = self._texts(rows, per_entity, entity, fixed)
        return header, StreamTiles(
            row=entity,
            span=np.array(self.levels, np.int64)[fixed["level"]],
            start=header["base"][entity] + fixed["start"].astype(np.int64) * SECOND,
            states=self._states(fixed, texts, only),
        )

    def _renewed(self, values: Sequence[bytes]) -> list[bytes]:
        """Return values of format 1 in the present format, but for the checksum; empty: it has not its bytes."""
        head = self._seal.mark + bytes(WORD)
        return [head + value[4:] + bytes(-len(value) % WORD) if self._is_whole(value) else b"" for value in values]

    def _is_whole(self, value: bytes) -> bool:
        """Whether a value of format 1 has exactly the bytes of its tiles and of their strings."""
        count, size = int.from_bytes(value[4:8], "little"), self._dtype.itemsize
        end = _FORMER + count * size
        if len(value) < end:
            return False
        tiles = np.frombuffer(value, self._dtype, count, _FORMER) if count else np.zeros(0, self._dtype)
        return len(value) == end + sum(int(tiles[place].sum(dtype=np.int64)) for place in self._text_places)

    @cached_property
    def fields(self) -> tuple[tuple[str, DType], ...]:
        """Name and type of every field of the states, in order."""
        return tuple((field.name, dtype_from_name(field.dtype)) for state in self.states for field in state.fields)

    @cached_property
    def _dtype(self) -> np.dtype[Any]:
        """The fixed-width part of a tile as one packed numpy type."""
        return np.dtype(
            [
                ("level", "u1"),
                ("start", "<u4"),
                ("nulls", "u1", ((len(self.fields) + 7) // 8,)),
                *((f"{place}", _element(dtype)) for place, (_, dtype) in enumerate(self.fields)),
            ]
        )

    @cached_property
    def _text_places(self) -> list[str]:
        """The fields of the fixed-width part that hold lengths of strings and sketches."""
        return [f"{place}" for place, (_, dtype) in enumerate(self.fields) if dtype in _VARIABLE]

    def _encode_tiles(self, tiles: StreamTiles, base: Instants) -> tuple[Array, list[Ragged]]:
        """Return the fixed-width parts of the tiles, and their strings field by field."""
        fixed = np.zeros(len(tiles), self._dtype)
        fixed["level"] = self._level(tiles.span)
        seconds = (tiles.start - base[tiles.row]) // SECOND
        if (seconds > _MOST_SECONDS).any():
            raise InputError("tiles of one entity lie more than 136 years apart: check the times of its events")
        fixed["start"] = seconds
        columns = [self._column(tiles, name) for name, _ in self.fields]
        fixed["nulls"] = np.packbits(~np.stack([each.valid for each in columns], axis=1), axis=1, bitorder="little")
        tails: list[Ragged] = []
        for place, (column, (_, dtype)) in enumerate(zip(columns, self.fields, strict=True)):
            if dtype in _VARIABLE:
                tails.append(_encode_objects(column, dtype))
                fixed[f"{place}"] = tails[-1].lengths
            else:
                fixed[f"{place}"][column.valid] = column.values[column.valid]
        return fixed, tails

    def _level(self, span: Instants) -> Array:
        level = np.searchsorted(self.levels, span).clip(max=len(self.levels) - 1)
        strange = span[np.array(self.levels, np.int64)[level] != span]
        if len(strange):
            raise InputError(f"a tile spans {strange[0]} microseconds; the levels of the view are {self.levels}")
        return level

    def _column(self, tiles: StreamTiles, name: str) -> Column:
        if name not in tiles.states:
            raise InputError(f"the tiles lack the state {name}; their layout needs it")
        return tiles.states[name]

    def _header(self, rows: Ragged) -> Array:
        """Return the headers of values, checked: no later step reads beyond a value."""
        header = gather_matrix(rows.buffer, rows.offsets[:-1], _HEADER.itemsize).reshape(-1).view(_HEADER)
        least = _HEADER.itemsize + header["count"].astype(np.int64) * self._dtype.itemsize
        longest = np.iinfo(np.int64).max if self._text_places else least + WORD
        if ((rows.lengths < least) | (rows.lengths >= longest)).any():
            raise RowError(f"a value does not have the bytes of its tiles: {_AGAIN}")
        return header

    def _texts(self, rows: Ragged, per_entity: Instants, entity: Array, fixed: Array) -> dict[str, Array]:
        """Return the strings of all tiles by field of the fixed-width part."""
        places = self._text_places
        if not places:
            return {}
        lengths = np.stack([fixed[place] for place in places], axis=1).astype(np.int64)
        ends = np.cumsum(lengths.reshape(-1))  # of each string, among those of all tiles
        tail_start = rows.offsets[:-1] + _HEADER.itemsize + per_entity * self._dtype.itemsize
        filled = np.concatenate([np.zeros(1, np.int64), ends])[:: len(places)]
        bounds = filled[_bounds(per_entity)]
        total = np.diff(bounds)
        left = rows.offsets[1:] - tail_start - total
        if ((left < 0) | (left >= WORD)).any():
            raise RowError(f"a value does not have the bytes of its strings: {_AGAIN}")
        # Strings lie end to end within an entity, so a place among all strings is one within its entity's.
        shift = tail_start - bounds[:-1]
        starts = (ends - lengths.reshape(-1)).reshape(lengths.shape) + shift[entity][:, np.newaxis]
        try:
            return {
                place: _decode_objects(
                    gather(rows.buffer, starts[:, column], lengths[:, column]), self.fields[int(place)][1]
                )
                for column, place in enumerate(places)
            }
        except UnicodeDecodeError as error:
            raise RowError(f"the strings of a value are no text ({error}): {_AGAIN}") from error

    def _states(self, fixed: Array, texts: Mapping[str, Array], only: Collection[str] | None) -> dict[str, Column]:
        nulls = fixed["nulls"]
        if np.count_nonzero(nulls):
            valid = np.ascontiguousarray(np.unpackbits(nulls, axis=1, count=len(self.fields), bitorder="little").T == 0)
        else:
            valid = np.broadcast_to(np.ones(len(fixed), np.bool_), (len(self.fields), len(fixed)))
        return {
            name: Column(
                texts[f"{place}"] if dtype in _VARIABLE else np.ascontiguousarray(fixed[f"{place}"]), valid[place]
            )
            for place, (name, dtype) in enumerate(self.fields)
            if only is None or name in only
        }


def refuse_damaged(decoded: DecodedTiles) -> None:
    """Refuse to go on from values some of which are damaged: what is added to them would never be right again.

    Raises:
        RowError: some are.
    """
    count = np.count_nonzero(decoded.damaged)
    if count:
        raise RowError(
            f"the values of {count} of {len(decoded.damaged)} entities are damaged, so their events are lost: "
            "load batch tiles up to now, and begin the stream anew with a later `since`"
        )


def _bounds(counts: Instants) -> Instants:
    """Return where each of consecutive groups begins, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _first_starts(tiles: StreamTiles, per_entity: Instants) -> Instants:
    """Return the first start of each entity's tiles; 0 where it has none."""
    first = np.zeros(len(per_entity), np.int64)
    some = per_entity > 0
    if len(tiles):
        first[some] = np.minimum.reduceat(tiles.start, _bounds(per_entity)[:-1][some])
    return first


def _element(dtype: DType) -> np.dtype[Any]:
    return _LENGTH if dtype in _VARIABLE else np.dtype(dtype.numpy)


def _encode_objects(column: Column, dtype: DType) -> Ragged:
    if dtype == String:
        return encode_utf8(np.where(column.valid, column.values, ""))
    return from_list(np.where(column.valid, column.values, b"").tolist())


def _decode_objects(rows: Ragged, dtype: DType) -> Array:
    return decode_utf8(rows) if dtype == String else np.array([*rows.to_list(), None], object)[:-1]
