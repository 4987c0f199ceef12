"""HTTP: one entity per request, and many entities with many features."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson

from benchmarks.http.load import CONNECTIONS, generator, load
from benchmarks.http.servers import Server, body_of, minimal_server, our_server
from benchmarks.measure import OURS, Result, Sample, alternate
from benchmarks.online import apply_plan, load_ours, numbers, valkey
from benchmarks.redis_bytes import load as load_bytes

_BODIES = 512


def http(entities: int, rows: int, features: int, seconds: float, rounds: int) -> Result:
    """Measure requests per second.

    Args:
        entities: in the store.
        rows: entities per request.
        features: per entity.
        seconds: of each measurement.
        rounds: of measurements.
    """
    with ExitStack() as stack:
        url = stack.enter_context(valkey())
        plans = Path(stack.enter_context(TemporaryDirectory()))
        path = f"/v1/services/{apply_plan(features, plans)}/features"
        load_ours(url, entities, features)
        load_bytes(url, numbers(entities, features))
        ids = np.random.default_rng(1).integers(0, entities, (_BODIES, rows)).tolist()
        bodies = [orjson.dumps({"keys": {"customer_id": wanted}}) for wanted in ids]
        others = [orjson.dumps({"id": wanted[0]} if rows == 1 else {"ids": wanted}) for wanted in ids]
        ours = stack.enter_context(our_server(plans, url))
        answer = body_of(ours.address, path, bodies[0])
        expected = numbers(entities, features)[ids[0]]
        _check(answer, expected)
        size = len(answer)
        environment = {"BENCHMARK_URL": url, "BENCHMARK_FEATURES": str(features), "BENCHMARK_BODY": str(size)}
        minimal = stack.enter_context(minimal_server("one" if rows == 1 else "many", environment))
        _check_values("the minimal server", body_of(minimal.address, "/", others[0]), expected)
        empty = stack.enter_context(minimal_server("empty", environment))

        def measure(server: Server, where: str, sent: list[bytes]) -> Sample:
            return load(server, where, sent, seconds)

        measure(ours, path, bodies)
        samples = alternate(
            {
                OURS: lambda: measure(ours, path, bodies),
                "minimal micro-batching server": lambda: measure(minimal, "/", others),
                "limit: constant answer of our size": lambda: measure(empty, "/", bodies),
            },
            rounds,
        )
    return Result(
        f"HTTP, {rows} entities x {features} Float32 features per request, {CONNECTIONS} connections, 1 worker",
        "requests/s",
        samples,
        [f"load by {generator()}; {entities:,} entities in the store; our answer has {size:,} bytes"],
    )


def _check(answer: bytes, expected: np.ndarray) -> None:
    _check_values("our server", answer, expected)
    if {status for each in orjson.loads(answer)["status"].values() for status in each} != {"PRESENT"}:
        raise RuntimeError("our server does not find every entity")


def _check_values(server: str, answer: bytes, expected: np.ndarray) -> None:
    """Compare as Float32, since servers may spell one at full or at the shortest length that says which it is."""
    found = np.array(list(orjson.loads(answer)["features"].values()), np.float32)
    if not np.array_equal(found.reshape(-1, len(expected)), expected.T):
        raise RuntimeError(f"{server} answers other values than were loaded")
