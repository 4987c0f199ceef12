"""Stream views as callers meet them: the Python client, the server's reader and the HTTP server, all of it now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from feature_store.plans.service_plan import write_plan
from serving.client import FeatureClient
from serving.read.assembly import Assembly
from serving.read.requests import read_keys
from serving.stores.open_store import open_async_reader
from tests.fixtures.frames import START, at
from tests.serving.server.test_http_server import start_server, stop_server
from tests.serving.services import keys_of, load_spend, load_stores, service_plan
from tests.serving.streams.purchases import purchase, purchases_world
from tests.serving.streams.world import OnlineWorld, event

TODAY = (datetime.now(UTC) - START).days
SERVICE = "live_model"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, valkey_server: str) -> OnlineWorld:
    """Users with events of the day before yesterday, in batch tiles, and of the last hour, in the stream."""
    world = purchases_world(tmp_path_factory.mktemp("world"), valkey_server)
    end = at(days=TODAY - 1)
    recently = datetime.now(UTC) - timedelta(minutes=20)
    world.rows = [
        purchase(end - timedelta(hours=1), "a", 1, 2.0),
        purchase(recently, "b", 1, 3.0),
        purchase(recently, "c", 2, 4.0),
        purchase(recently - timedelta(hours=3), "d", 3, 5.0),
    ]
    world.land(TODAY - 14, TODAY - 1)
    world.sync(datetime.now(UTC))
    world.append(world.writer(end), [row for row in world.rows if row["time"] >= end])
    return world


@pytest.fixture(scope="module")
def http(world: OnlineWorld) -> Iterator[httpx.Client]:
    process, client = start_server(world.folder / "plans", world.url)
    yield client
    stop_server(process, client)


def told_values(answer: dict[str, Any], time: datetime) -> None:
    """Assert what every caller is told of users 1, 2, 3 and of one without events."""
    assert answer["purchases__rows_1h"] == [1, 1, 0, 0]
    # The window of two days begins on the hour: whether it holds user 1's first event depends on the time of the day.
    tail = (time - timedelta(days=2)).replace(minute=0, second=0, microsecond=0)
    assert answer["purchases__amount_2d"] == [5.0 if at(days=TODAY - 1, hours=-1) >= tail else 3.0, 4.0, 5.0, 0.0]
    assert answer["purchases__last_amount"] == [3.0, 4.0, 5.0, None]


def test_the_python_client(world: OnlineWorld) -> None:
    with FeatureClient(world.folder / "plans", world.url) as client:
        vectors = client.get_features(SERVICE, {"user": [1, 2, 3, 4]})
    time = datetime.fromtimestamp(vectors.time / 10**6, UTC)
    told_values(vectors.to_dict(), time)
    assert vectors.as_of == {"purchases": vectors.time // 10**6 * 10**6}
    world.check([(1,), (2,), (3,), (4,)], time)


def test_the_http_server(http: httpx.Client) -> None:
    reply = http.post(f"/v1/services/{SERVICE}/features", json={"keys": {"user": [1, 2, 3, 4]}})
    assert reply.status_code == 200
    answer = reply.json()
    time = datetime.fromisoformat(answer["time"])
    told_values(answer["features"], time)
    assert answer["status"]["purchases__amount_2d"] == ["PRESENT", "PRESENT", "PRESENT", "EMPTY"]
    assert datetime.fromisoformat(answer["as_of"]["purchases"]) == time.replace(microsecond=0)


def test_an_entity_whose_value_overflows_lacks_that_value_and_fails_nobody(tmp_path: Path, valkey_server: str) -> None:
    world = OnlineWorld(tmp_path, valkey_server.removesuffix("/0") + "/1")
    recently = datetime.now(UTC) - timedelta(minutes=20)
    keys = [("over", "flow"), *((f"{number}", "fine") for number in range(5))]
    world.land(TODAY - 14, TODAY - 1, [event(at(days=TODAY - 2), keys[0], number=2**62)])
    world.sync(datetime.now(UTC))
    world.append(world.writer(at(days=TODAY - 1)), [event(recently, key, number=2**62) for key in keys])
    process, http = start_server(world.folder / "plans", world.url)

    def ask(key: tuple[str, str]) -> httpx.Response:
        return http.post(f"/v1/services/{SERVICE}/features", json={"keys": {"left": [key[0]], "right": [key[1]]}})

    try:
        with redis.Redis.from_url(world.url) as store, ThreadPoolExecutor(len(keys)) as pool:
            # While the store sleeps, requests gather to be answered together.
            store.client_pause(800, all=True)
            replies = list(pool.map(ask, keys))
    finally:
        stop_server(process, http)
    assert [reply.status_code for reply in replies] == [200] * 6
    assert [reply.json()["features"]["live__number_12d"] for reply in replies] == [[None], *[[2**62]] * 5]
    assert replies[0].json()["status"]["live__number_12d"] == ["NOT_COMPUTED"]
    assert replies[0].json()["status"]["live__rows_15m"] == ["PRESENT"]


def test_one_batch_of_the_server_holds_stream_views_and_others(world: OnlineWorld, tmp_path: Path) -> None:
    load_spend(world.url, [1, 2])
    load_stores(world.url, [1, 2])
    write_plan(tmp_path, service_plan())
    streams, snapshots = Assembly(world.plan), Assembly(service_plan())
    time = int(datetime.now(UTC).timestamp() * 10**6)

    async def main() -> list[dict[str, Any]]:
        reader = open_async_reader(world.url)
        asked = [
            (streams, streams.ask(read_keys(streams.plan, {"user": [1, 2, 3, 4]}))),
            (snapshots, snapshots.ask(read_keys(snapshots.plan, keys_of([1, 2, 3])))),
            (streams, streams.ask(read_keys(streams.plan, {"user": [4, 1]}))),
        ]
        reads = iter(await reader.read([wanted for _, question in asked for wanted in question.wanted], time))
        await reader.close()
        return [
            assembly.answer(question, [next(reads) for _ in question.wanted], time).to_dict()
            for assembly, question in asked
        ]

    first, spend, second = asyncio.run(main())
    told_values(first, datetime.fromtimestamp(time / 10**6, UTC))
    assert second["purchases__rows_1h"] == [0, 1]
    assert spend["household_spend__baskets"] == [1, 2, 0]
    assert spend["home__store_traffic__visits"] == [100] * 3


def test_rows_of_a_stream_view_are_read_in_one_round_trip(world: OnlineWorld) -> None:
    with redis.Redis.from_url(world.url) as store, FeatureClient(world.folder / "plans", world.url) as client:
        for _ in range(2):
            client.get_features(SERVICE, {"user": [1]})
        before = store.info("commandstats")["cmdstat_mget"]["calls"]
        client.get_features(SERVICE, {"user": list(range(1000))})
        assert store.info("commandstats")["cmdstat_mget"]["calls"] == before + 1
