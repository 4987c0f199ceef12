"""Differences between the stores, made on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import numpy as np
import redis

from feature_store.codec.key_codec import encode_keys
from feature_store.columns import Column
from feature_store.dtypes import Int64
from feature_store.temporal.instants import to_microseconds
from serving.stores.generations import decode_generations, select
from serving.stores.redis.keys import pointer_key, row_keys


@contextmanager
def one_byte_changed(url: str, view: str, household: int, at: datetime) -> Iterator[None]:
    """For some time, the lowest bit of the last byte of a row that is served at T is another one.

    Args:
        url: of the online store.
        view: of households, whose last feature has a fixed width.
        household: whose row it is.
        at: T.
    """
    keys = encode_keys([Column(np.array([household]), np.ones(1, np.bool_))], [Int64]).keys
    with redis.Redis.from_url(url) as server:
        generation = select(decode_generations(server.get(pointer_key(view))), to_microseconds(at))
        assert generation is not None
        (key,) = row_keys(generation.id, keys).to_list()
        row = server.get(key)
        server.setrange(key, len(row) - 1, bytes([row[-1] ^ 1]))
        try:
            yield
        finally:
            server.set(key, row)
