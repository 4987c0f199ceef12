"""The online read: generations of real snapshots in a real server, read by the client at any T."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from unittest.mock import patch

import polars as pl
import redis
from polars.testing import assert_frame_equal

from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.expressions import microseconds
from feature_store.oracle.services import service_row
from feature_store.plans.service_plan import ServicePlan, write_plan
from serving.client import FeatureClient
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from tests.spec.requests import input_columns, spine_types, with_inputs
from tests.spec.services import (
    assert_service_row,
    expiry,
    in_some_order,
    instants,
    service_of,
    some_keys,
    world_known_to,
    write_with_holes,
)
from tests.spec.stores import folder
from tests.spec.worlds import MICROSECOND, Range, World

INSTANTS = 6
"""How many T a batch is read at."""

Check = Callable[[Range, Sequence[World], Random], None]


def checker(url: str) -> Check:
    """Return the check, on a server."""
    return lambda span, worlds, rng: check(url, span, worlds, rng)


def check(url: str, span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail where an answer is not what the oracle says, or not bit for bit the row of a training set."""
    with redis.Redis.from_url(url) as server:
        server.flushdb()
    service = service_of(span.view)
    plan = compile_plan(service)
    with folder() as root:
        store = OfflineStore(str(root / "offline"))
        written = write_with_holes(store, span, worlds, rng)
        synced = rng.choice(written).available_at + MICROSECOND
        writer = open_loader(url)
        with patch(
            "serving.stores.redis.write.publication.store_time", lambda _: microseconds(synced)
        ):  # it drops what the clock has passed
            sync_view(store, span.view, writer, synced)
        writer.close()
        served = max(each.as_of for each in written if each.available_at < synced)
        live = [partition for partition in written if partition.as_of >= served]
        write_plan(root / "plans", plan)
        with FeatureClient(root / "plans", url) as client:
            for time in [*rng.sample(instants(span, live), INSTANTS), *expiry(span, live[-1])]:
                asked = in_some_order(worlds, rng)
                requests = with_inputs([some_keys(world, rng) for world in asked], rng)
                answer = read(client, service.name, requests, time)
                for world, request, row in zip(asked, requests, answer.iter_rows(named=True), strict=True):
                    partitions = [partition.of(world) for partition in live]
                    wanted = service_row(service, {span.view.full_name: partitions}, request, time)
                    known = {span.view: world_known_to(partitions, world, time)}
                    assert_service_row(service, known, request, row, wanted)
                if time > live[0].available_at:
                    trained = train(store, plan, requests, time)
                    assert_frame_equal(answer.select(trained.columns), trained, check_exact=True)


def read(client: FeatureClient, service: str, requests: list[dict], time: datetime, *more: str) -> pl.DataFrame:
    """Ask online, and return the answer with its statuses and as-ofs; ``more`` are inputs that no service has."""
    inputs = input_columns(requests, *more)
    keys = {name: [request[name] for request in requests] for name in requests[0] if name not in inputs}
    vectors = client.get_features(service, keys, inputs=inputs or None, time=time)
    as_ofs = [pl.lit(as_of, pl.Int64).cast(INSTANT).alias(f"{name}__as_of") for name, as_of in vectors.as_of.items()]
    return vectors.to_polars().with_columns(as_ofs)


def train(store: OfflineStore, plan: ServicePlan, requests: list[dict], time: datetime) -> pl.DataFrame:
    """Ask offline, and return the answer in the form of ``read``, less the as-ofs' names."""
    schema = {name: polars_dtype(dtype) for name, dtype in plan.keys.items()}
    inputs = spine_types(requests)
    spine = pl.DataFrame(requests, schema={**schema, **inputs}, strict=False).with_columns(
        pl.lit(time, INSTANT).alias("time")
    )
    joined = point_in_time_join(store, plan, spine, "time", allow_missing=True, with_status=True)
    statuses = [pl.col(f"{output.name}__status").cast(pl.UInt8) for output in plan.outputs]
    return joined.drop("time", *inputs).with_columns(statuses)
