"""Request features across views, offline and online: each view has holes, an available-at and a ttl of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from random import Random
from typing import Any, Final
from unittest.mock import patch

import polars as pl
import redis
from polars.testing import assert_frame_equal

from feature_store import FeatureService
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.expressions import microseconds
from feature_store.oracle.point_in_time import Partition
from feature_store.oracle.services import service_row
from feature_store.plans.service_plan import write_plan
from serving.client import FeatureClient
from serving.load.sync import sync_view
from serving.read.requests import RequestError
from serving.stores.open_store import open_loader
from tests.spec.paths.http_server import HttpServer, serving_at
from tests.spec.paths.online import read, train
from tests.spec.paths.point_in_time import ROWS_PER_WORLD, Join, TrainingSet, join
from tests.spec.ranges import NOTICED
from tests.spec.requests import INPUTS, across, of_inputs, over, with_inputs
from tests.spec.services import (
    Written,
    assert_service_row,
    in_some_order,
    instants,
    some_keys,
    world_known_to,
    write_with_holes,
)
from tests.spec.stores import folder
from tests.spec.worlds import MICROSECOND, Range, World

INSTANTS = 4
"""How many T a batch is read at."""


@cache
def service_across(span: Range) -> FeatureService:
    """Return a service that computes from one view in two roles, and from another."""
    one, other = span.view, NOTICED.view
    role = one[tuple(one.fingerprints)[:2]].as_role("other", left="other_left", right="other_right")
    computed = [*across(one, other), *over(one, role="other"), *over(other, mark="noticed_"), *of_inputs()]
    return FeatureService(one.name, 1, "spec", "Across views", [one.all(), other.all(), role, *computed], inputs=INPUTS)


@dataclass(frozen=True)
class Histories:
    """What was written of both views."""

    by_view: Mapping[str, Sequence[Written]]

    def of(self, world: World) -> Mapping[str, list[Partition]]:
        """Return what partitions hold of one world, by view."""
        return {view: [each.of(world) for each in written] for view, written in self.by_view.items()}


def write(store: OfflineStore, span: Range, worlds: Sequence[World], rng: Random) -> Histories:
    """Write partitions of both views, each with holes of its own."""
    spans = (span, NOTICED)
    return Histories({each.view.full_name: write_with_holes(store, each, worlds, rng) for each in spans})


def all_instants(span: Range, histories: Histories) -> list[datetime]:
    """Return every T at which the answer of either view changes."""
    spans = (span, NOTICED)
    return sorted({T for each in spans for T in instants(each, histories.by_view[each.view.full_name])})


def check(span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail where a row of a training set is not what the oracle says."""
    build(span, worlds, rng).compare()


def build(span: Range, worlds: Sequence[World], rng: Random, by: Join = point_in_time_join) -> TrainingSet:
    """Build a training set over both views."""
    with folder() as root:
        store = OfflineStore(str(root))
        histories = write(store, span, worlds, rng)
        times = all_instants(span, histories)
        asked = [(world, rng.choice(times)) for world in worlds for _ in range(ROWS_PER_WORLD)]
        rng.shuffle(asked)
        availability = rng.choice(["promised", "actual"])
        return join(store, service_across(span), asked, histories.of, rng, availability=availability, by=by)


@dataclass(frozen=True)
class Loaded:
    """Both views in the online store.

    Attributes:
        service: over both.
        store: the offline store.
        plans: the folder of the service's plan.
        live: the partitions that can be served.
        times: every T at which an answer changes.
    """

    service: FeatureService
    store: OfflineStore
    plans: Any
    live: Histories
    times: list[datetime]

    def compare(self, asked: Sequence[World], requests: Sequence[dict], time: datetime, answer: pl.DataFrame) -> None:
        """Fail where an answer is not what the oracle says, or not bit for bit the rows of a training set."""
        for world, request, row in zip(asked, requests, answer.iter_rows(named=True), strict=True):
            partitions = self.live.of(world)
            wanted = service_row(self.service, partitions, request, time)
            known = {view: world_known_to(partitions[view.full_name], world, time) for view in self.service.views}
            assert_service_row(self.service, known, request, row, wanted)
        firsts = [min(each.available_at for each in written) for written in self.live.by_view.values()]
        if time > max(firsts):
            trained = train(self.store, compile_plan(self.service), list(requests), time)
            assert_frame_equal(answer.select(trained.columns), trained, check_exact=True)


@contextmanager
def loaded(url: str, span: Range, worlds: Sequence[World], rng: Random) -> Iterator[Loaded]:
    """Load both views at some time, one of them maybe long before it."""
    with redis.Redis.from_url(url) as server:
        server.flushdb()
    with folder() as root:
        store = OfflineStore(str(root / "offline"))
        histories = write(store, span, worlds, rng)
        live: dict[str, list[Written]] = {}
        with closing(open_loader(url)) as writer:
            for each in (span, NOTICED):
                written = histories.by_view[each.view.full_name]
                synced = rng.choice(written).available_at + MICROSECOND
                with patch("serving.stores.redis.write.publication.store_time", lambda _, at=synced: microseconds(at)):
                    sync_view(store, each.view, writer, synced)
                served = max(partition.as_of for partition in written if partition.available_at < synced)
                live[each.view.full_name] = [partition for partition in written if partition.as_of >= served]
        service = service_across(span)
        write_plan(root / "plans", compile_plan(service))
        found = Histories(live)
        yield Loaded(service, store, root / "plans", found, all_instants(span, found))


def check_client(url: str, span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail where an answer of the client is not what the oracle says."""
    with loaded(url, span, worlds, rng) as online, FeatureClient(online.plans, url) as client:
        for time in rng.sample(online.times, INSTANTS):
            asked = in_some_order(worlds, rng)
            requests = with_inputs([some_keys(world, rng) for world in asked], rng)
            online.compare(asked, requests, time, read(client, online.service.name, requests, time))
        for request, field in _refused(requests[0]):
            assert _refusal(client, online.service, request, time) == field


def check_http(url: str, span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail where an answer over HTTP is not what the oracle says: many requests at once, some of several entities."""
    with loaded(url, span, worlds, rng) as online, HttpServer(online.plans, url) as server:
        for time in rng.sample(online.times, INSTANTS):
            asked = in_some_order(worlds, rng)
            requests = with_inputs([some_keys(world, rng) for world in asked], rng)
            with serving_at(time):
                answer = server.ask(online.service, requests, rng)
            online.compare(asked, requests, time, answer)
        for request, field in _refused(requests[0]):
            assert server.refusal(online.service, request, more=_UNKNOWN) == field


def _refusal(client: FeatureClient, service: FeatureService, request: dict[str, Any], time: datetime) -> str | None:
    """Return the field that the client says is wrong; None: it gives an answer."""
    try:
        read(client, service.name, [request], time, _UNKNOWN)
    except RequestError as error:
        return error.field
    return None


_UNKNOWN: Final = "amuont"


def _refused(request: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield requests that no answer may be given to, and the field that is wrong."""
    yield {**request, _UNKNOWN: 1.0}, f"inputs.{_UNKNOWN}"
    yield {name: value for name, value in request.items() if name != "amount"}, "inputs.amount"
