"""Differences between the stores, made on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import numpy as np
import redis

from feature_store.codec.byte_strings import Ragged
from feature_store.codec.key_codec import encode_keys
from feature_store.codec.row_codec import RowLayout
from feature_store.codec.sealed_rows import seal
from feature_store.columns import Column
from feature_store.dtypes import Int64
from feature_store.temporal.instants import to_microseconds
from serving.stores.generations import decode_generations, select
from serving.stores.records import Sealed
from serving.stores.redis.keys import pointer_keys, row_keys


@contextmanager
def one_value_changed(url: str, view: str, household: int, at: datetime) -> Iterator[None]:
    """For some time, the last value of a row that is served at T is another one, under a checksum of its own.

    Args:
        url: of the online store.
        view: of households, whose last feature has a fixed width.
        household: whose row it is.
        at: T.
    """
    keys = encode_keys([Column(np.array([household]), np.ones(1, np.bool_))], [Int64]).keys
    with redis.Redis.from_url(url) as server:
        generation = select(decode_generations(view, Sealed(*server.mget(pointer_keys(view)))), to_microseconds(at))
        assert generation is not None
        (key,) = row_keys(generation.id, keys).to_list()
        row = server.get(key)
        last = _width(generation.layout) - 1
        other = row[:last] + bytes([row[last] ^ 1]) + row[last + 1 :]
        (sealed,) = seal(Ragged(np.frombuffer(other, np.uint8).copy(), np.array([0, len(other)])), keys).to_list()
        server.set(key, sealed)
        try:
            yield
        finally:
            server.set(key, row)


@contextmanager
def damaged_row(url: str, view: str, household: int, at: datetime) -> Iterator[None]:
    """For some time, a bit of the row of a household that is served at T is another one."""
    keys = encode_keys([Column(np.array([household]), np.ones(1, np.bool_))], [Int64]).keys
    with redis.Redis.from_url(url) as server:
        generation = select(decode_generations(view, Sealed(*server.mget(pointer_keys(view)))), to_microseconds(at))
        assert generation is not None
        (key,) = row_keys(generation.id, keys).to_list()
        row = server.get(key)
        server.set(key, row[:-1] + bytes([row[-1] ^ 1]))
        try:
            yield
        finally:
            server.set(key, row)


def _width(layout: RowLayout) -> int:
    """Return the bytes of a row before its padding."""
    widths = [np.dtype(field.dtype.element.numpy).itemsize * field.dtype.length for field in layout.features]
    return 8 + (sum(field.dtype.slots for field in layout.features) + 7) // 8 + sum(widths)
