"""Reading many entities of a stream view with one call of the Python client: tiles fetched, decoded and merged at T."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import redis

from benchmarks.measure import OURS, Result, Sample, alternate, latencies
from benchmarks.online import customer, valkey
from feature_store import (
    EventSource,
    FeatureService,
    FeatureView,
    Float64,
    Int64,
    KafkaTopic,
    Timestamp,
    col,
    count,
    last,
    stream_view,
    sum_,
)
from feature_store.codec.byte_strings import Ragged
from feature_store.codec.key_codec import encode_keys
from feature_store.columns import Column
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.polars.stream_tiles import build_stream_tiles
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import write_plan
from serving.client import FeatureClient
from serving.load.sync import sync_view
from serving.stores.generations import decode_generations
from serving.stores.open_store import open_loader
from serving.stores.records import Sealed
from serving.stores.redis.keys import pointer_keys, row_keys, stream_keys
from serving.stores.streams import decode_stream
from serving.streams.writer import StreamWriter

_DAYS = 9
_PER_DAY = 2
_TODAY = 6
_APPENDED_AT_ONCE = 20_000


def stream_read(entities: int, rows: int, calls: int, rounds: int) -> Result:
    """Measure entities per second and the latency of a call.

    Args:
        entities: in the store, each with events in batch tiles and in the stream.
        rows: entities per call.
        calls: of each measurement.
        rounds: of measurements.
    """
    wanted = np.random.default_rng(1).integers(0, entities, (calls, rows))
    with TemporaryDirectory() as folder, valkey() as url:
        view, spent = _load(url, Path(folder), entities)
        with FeatureClient(Path(folder) / "plans", url) as client, redis.Redis.from_url(url) as plain:
            batch, stream = _owners(plain, view)

            def ours(ids: np.ndarray) -> np.ndarray:
                return client.get_features("bench_live", {"customer_id": ids}).columns["live__spend_7d"].values

            def bytes_only(keys: list[bytes]) -> list[Any]:
                return plain.mget(keys)

            if not np.allclose(ours(wanted[0]), spent[wanted[0]]):
                raise RuntimeError("other values are read than were loaded")
            commands = [_keys(ids, batch) + _keys(ids, stream) for ids in wanted]
            contenders: dict[str, list[Callable[[], Any]]] = {
                OURS: [partial(ours, ids) for ids in wanted],
                "redis-py MGET of the same bytes": [partial(bytes_only, keys) for keys in commands],
            }
            size = sum(len(value) for value in plain.mget(commands[0])) / rows
            samples = alternate({name: partial(_measure, asked, rows) for name, asked in contenders.items()}, rounds)
    return Result(
        f"Python client, {rows:,} entities of a stream view x 4 features per call, merged at T",
        "entities/s",
        samples,
        [f"{size:.0f} bytes of tiles per entity; the other neither decodes nor merges them, its keys were made before"],
    )


def _measure(asked: list[Callable[[], Any]], rows: int) -> Sample:
    return latencies(asked, rows)


def _view(start: datetime) -> FeatureView:
    source = EventSource(
        "live",
        asset="raw/live",
        event_time="at",
        columns={"customer_id": Int64, "at": Timestamp, "amount": Float64},
        start=start,
        description="Purchases, live",
        stream=KafkaTopic("live"),
    )
    body = {
        "visits_1h": count(over="1h", description="Purchases in an hour"),
        "spend_24h": sum_(col("amount"), over="24h", description="Spend in a day"),
        "spend_7d": sum_(col("amount"), over="7d", description="Spend in a week"),
        "last_amount": last(col("amount"), over="7d", description="The last amount"),
    }
    declare = stream_view(
        entity=customer,
        source=source,
        namespace="bench",
        version=1,
        owner="benchmarks",
        cadence="1d",
        batch_after="0s",
        available_after="0s",
        freshness="1m",
    )
    return declare(type("Live", (), {"__doc__": "What customers do now.", **body}))


def _load(url: str, folder: Path, entities: int) -> tuple[FeatureView, np.ndarray]:
    """Load batch tiles up to midnight and append today's events; return the view and the spend of each entity."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - timedelta(days=_DAYS)
    view, store = _view(start), OfflineStore(str(folder / "offline"))
    tiles = build_stream_tiles(view, _events(entities, _PER_DAY * _DAYS, start, today).lazy(), start, today)
    store.tiles(view).write(tiles.frame, start, today, run_id="benchmark")
    online = open_loader(url)
    sync_view(store, view, online, datetime.now(UTC))
    online.close()
    writer = StreamWriter(url, view, since=today)
    live = _events(entities, _TODAY, today, datetime.now(UTC))
    for piece in live.iter_slices(_APPENDED_AT_ONCE):
        writer.append(piece)
    writer.close()
    service = FeatureService("bench_live", 1, "benchmarks", "All of it", [view.all()])
    write_plan(folder / "plans", compile_plan(service))
    time.sleep(1)  # the newest second has to be over
    tail = (datetime.now(UTC) - timedelta(days=7)).replace(minute=0, second=0, microsecond=0)
    events = pl.concat([_events(entities, _PER_DAY * _DAYS, start, today), live]).filter(pl.col("at") >= tail)
    return view, events.group_by("customer_id").agg(pl.col("amount").sum()).sort("customer_id")["amount"].to_numpy()


def _events(entities: int, each: int, start: datetime, end: datetime) -> pl.DataFrame:
    """Return ``each`` events of every entity, evenly spread, whose amounts tell the entity."""
    step = (end - start) / (each + 1)
    ids = np.arange(entities)
    frames = [
        pl.DataFrame({"customer_id": ids, "amount": (ids % 97) + 0.5}).with_columns(
            pl.lit(start + step * (place + 1)).dt.cast_time_unit("us").alias("at")
        )
        for place in range(each)
    ]
    return pl.concat(frames)


def _owners(client: redis.Redis, view: FeatureView) -> tuple[int, int]:
    """Return whose rows are read: the id of the generation and of the stream."""
    (generation,) = decode_generations(view.full_name, Sealed(*client.mget(pointer_keys(view.full_name))))
    stream = decode_stream(view.full_name, Sealed(*client.mget(stream_keys(view.full_name))))
    assert stream is not None
    return generation.id, stream.id


def _keys(ids: np.ndarray, owner: int) -> list[bytes]:
    entities: Ragged = encode_keys([Column(ids, np.ones(len(ids), np.bool_))], [Int64]).keys
    return row_keys(owner, entities).to_list()
