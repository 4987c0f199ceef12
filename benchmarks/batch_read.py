"""Reading many entities with one call of the Python client."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import redis

from benchmarks.measure import OURS, Result, Sample, alternate, latencies
from benchmarks.online import apply_plan, load_ours, numbers, valkey
from benchmarks.redis_bytes import connect, key_bytes, load, mget, read, row_dtype
from serving.client import FeatureClient


def batch_read(entities: int, rows: int, features: int, calls: int, rounds: int) -> Result:
    """Measure entities per second and the latency of a call.

    Args:
        entities: in the store.
        rows: entities per call.
        features: per entity.
        calls: of each measurement.
        rounds: of measurements.
    """
    values = numbers(entities, features)
    wanted = np.random.default_rng(1).integers(0, entities, (calls, rows))
    with TemporaryDirectory() as folder, valkey() as url:
        service = apply_plan(features, Path(folder))
        load_ours(url, entities, features)
        load(url, values)
        client, plain = FeatureClient(folder, url), redis.Redis.from_url(url)
        with client, plain, closing(connect(url)) as connection:

            def ours(ids: np.ndarray) -> np.ndarray:
                vectors = client.get_features(service, {"customer_id": ids})
                return np.stack([column.values for column in vectors.columns.values()], axis=1)

            def peer(keys: list[bytes]) -> np.ndarray:
                return np.frombuffer(b"".join(plain.mget(keys)), row_dtype(features))["values"]

            def raw(command: bytes) -> np.ndarray:
                return read(connection, command, rows, features)

            contenders: dict[str, list[Callable[[], np.ndarray]]] = {
                OURS: [partial(ours, ids) for ids in wanted],
                "redis-py MGET + numpy": [partial(peer, key_bytes(ids)) for ids in wanted],
                "limit: plain socket + numpy": [partial(raw, mget(ids)) for ids in wanted],
            }
            for asked in contenders.values():
                if not np.array_equal(asked[0](), values[wanted[0]]):
                    raise RuntimeError("a contender reads other values than were loaded")
            samples = alternate({name: partial(_measure, asked, rows) for name, asked in contenders.items()}, rounds)
    return Result(
        f"Python client, {rows:,} entities x {features} Float32 features per call, to a numpy matrix",
        "entities/s",
        samples,
        ["ours: with keys encoded and checked, status and as-of; the others send commands that were made beforehand"],
    )


def _measure(asked: list[Callable[[], np.ndarray]], rows: int) -> Sample:
    return latencies(asked, rows)
