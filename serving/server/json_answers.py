"""Columnar JSON, made for all requests of a batch at once: what they share is encoded once, the rest by slices.

A Float32 is written with as many digits as tell it from other Float32s: 0.1, not 0.10000000149011612.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache, partial
from typing import Any, Final

import numpy as np
import orjson

from feature_store.columns import Array, Column
from feature_store.dtypes import Boolean, DType, Int64
from feature_store.status import Status
from feature_store.temporal.instants import iso_instant
from serving.read.requests import KeyValue
from serving.read.values import all_true, json_values
from serving.read.vectors import FeatureVectors

FEW_ENTITIES: Final = 16
"""Up to so many, slices of lists are written faster than those of arrays."""

_dumps: Final = partial(orjson.dumps, option=orjson.OPT_SERIALIZE_NUMPY)
_STATUS_JSON: Final = [orjson.dumps(status.name) for status in Status]
_LISTS_KEPT: Final = 64


class ColumnarJson:
    """The answers of one batch as JSON.

    Args:
        vectors: of all entities of the batch.
    """

    def __init__(self, vectors: FeatureVectors) -> None:
        described = {
            "service": vectors.service,
            "version": vectors.version,
            "time": iso_instant(vectors.time),
            "as_of": vectors.as_of_text(),
        }
        self._head = orjson.dumps(described)[:-1]
        self._vectors, self._count = vectors, len(vectors)
        # The features of a view share one array of codes, whose JSON is made once.
        shared = {id(codes): codes.tobytes() for codes in vectors.status.values()}
        self._codes = [(_field(name), shared[id(codes)]) for name, codes in vectors.status.items()]
        self._uniform = all(_is_uniform(codes) for codes in shared.values())
        self._status_of_count: dict[int, bytes] = {}

    def answer(self, keys: dict[str, list[KeyValue]], start: int, stop: int) -> bytes:
        """Return the answer to one request.

        Args:
            keys: of the request.
            start: place of its first entity in the batch.
            stop: place after its last.
        """
        is_small_part = stop - start <= FEW_ENTITIES and stop - start < self._count
        columns = self._lists if is_small_part else self._arrays
        features = _dumps({name: values[start:stop] for name, values in columns})
        return b'%b,"keys":%b,"features":%b,"status":%b}' % (
            self._head,
            orjson.dumps(keys),
            features,
            self._status(start, stop),
        )

    @cached_property
    def _arrays(self) -> list[tuple[str, list[Any] | Array]]:
        """The values by feature, as arrays where they can be written as such."""
        dtypes = self._vectors.dtypes
        return [(name, writable(column, dtypes[name])) for name, column in self._vectors.columns.items()]

    @cached_property
    def _lists(self) -> list[tuple[str, list[Any]]]:
        """The same values as lists, floats with the digits that are written of them in arrays."""
        lists = orjson.loads(_dumps([values for _, values in self._arrays]))
        return [(name, values) for (name, _), values in zip(self._arrays, lists, strict=True)]

    def _status(self, start: int, stop: int) -> bytes:
        if not self._uniform:
            return self._status_json(start, stop)
        # Where all entities of a batch fare alike, only their number tells one request from another.
        count = stop - start
        if count not in self._status_of_count:
            self._status_of_count[count] = self._status_json(start, stop)
        return self._status_of_count[count]

    def _status_json(self, start: int, stop: int) -> bytes:
        made: dict[int, bytes] = {}
        parts: list[bytes] = []
        for name, codes in self._codes:
            text = made.get(id(codes))
            if text is None:
                text = made[id(codes)] = _status_list(codes[start:stop])
            parts.append(name + text)
        return b"{%b}" % b",".join(parts)


def writable(column: Column, dtype: DType) -> list[Any] | Array:
    """Return a column as JSON can be written of it: an array, or a list of values or of arrays, None where null."""
    values, is_whole = column.values, all_true(column.valid)
    if dtype.element.is_float:
        if is_whole:
            return values
        if not dtype.is_vector:
            values = np.where(column.valid, values, values.dtype.type(np.nan))  # which is written as null
        if values.ndim == 1:
            return values
        return [row if has else None for row, has in zip(values, column.has_value.tolist(), strict=True)]
    if is_whole and dtype in (Int64, Boolean):
        return values.astype(np.bool_) if dtype == Boolean else values
    return json_values(column, dtype)


def _status_list(codes: bytes) -> bytes:
    if codes and _is_uniform(codes):
        return _uniform_list(codes[0], len(codes))
    return _json_list([_STATUS_JSON[code] for code in codes])


@lru_cache(_LISTS_KEPT)
def _uniform_list(code: int, count: int) -> bytes:
    return _json_list([_STATUS_JSON[code]] * count)


def _json_list(items: Sequence[bytes]) -> bytes:
    return b"[%b]" % b",".join(items)


def _is_uniform(codes: bytes) -> bool:
    return not codes or codes.count(codes[0]) == len(codes)


@lru_cache(4096)
def _field(name: str) -> bytes:
    return orjson.dumps(name) + b":"
