"""What people do in the UI, through the same GraphQL, with a real web server, code server, daemon and run processes."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest

from feature_store.offline.materialize.materialize import compute_tiles
from tests.dagster.sample import project
from tests.dagster.sample.declarations import START, HouseholdSpend
from tests.fixtures.valkey import free_port

VIEW = ["retail", "household_spend", "v1"]
DAGSTER_YAML = """
telemetry: {enabled: false}
event_log_storage: {module: resources.event_log, class: BatchedSqliteEventLogStorage}
backfills: {use_threads: true}
"""
LAUNCH = """
mutation($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
BACKFILL = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
RUN = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
PROGRESS = """
query($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status runs { id status } } }
}"""
NODE = """
query($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode {
      owners { ... on TeamAssetOwner { team } }
      kinds
      partitionStats { numMaterialized numFailed }
      assetMaterializations(limit: 1) { partition metadataEntries { label ... on FloatMetadataEntry { floatValue } } }
    }
  }
}"""


class UserInterface:
    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        assert "errors" not in found, found["errors"]
        return next(iter(found["data"].values()))

    def wait(self, query: str, done, **variables):
        for _ in range(300):
            found = self.ask(query, **variables)
            if found["status"] in done:
                return found
            time.sleep(0.5)
        raise AssertionError(f"still {found}")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with raw rows and tiles of 45 days, and Dagster's home."""
    folder = tmp_path_factory.mktemp("ui")
    (folder / "dagster").mkdir()
    (folder / "dagster" / "dagster.yaml").write_text(DAGSTER_YAML)
    store = project.resources(folder / "offline")["offline_store"].store
    end = START + timedelta(days=45)
    rows = project.receipts(START, end)
    store.source("raw/transactions").write(rows, START, end, time_column="purchased_at", run_id="landing")
    compute_tiles(store, HouseholdSpend, START, end, "landing")
    return folder


@pytest.fixture(scope="module")
def interface(home):
    port = free_port()
    environment = {**os.environ, "DAGSTER_HOME": str(home / "dagster"), "SAMPLE_ROOT": str(home / "offline")}
    location = ["-m", "tests.dagster.sample.code_location", "-d", "."]
    web = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *location]
    daemon = [sys.executable, "-m", "dagster._daemon", "run", *location]
    # Of several processes that make Dagster's databases at once, all but the first would fail.
    subprocess.run([sys.executable, "-m", "dagster", "instance", "info"], env=environment, check=True)
    with contextlib.ExitStack() as stack, (home / "log").open("w") as log:
        processes = [subprocess.Popen(command, env=environment, stdout=log, stderr=log) for command in (web, daemon)]
        for process in processes:
            stack.callback(process.wait, 60)
            stack.callback(process.terminate)
        interface = UserInterface(port)
        for _ in range(240):
            assert all(process.poll() is None for process in processes), (home / "log").read_text()
            with contextlib.suppress(OSError):
                assert interface.ask("{ version }")
                break
            time.sleep(0.5)
        yield interface


@pytest.mark.timeout(300)
def test_materialize_on_one_feature(interface):
    selector = {
        "repositoryLocationName": "tests.dagster.sample.code_location",
        "repositoryName": "__repository__",
        "pipelineName": "__ASSET_JOB",
        "assetSelection": [{"path": [*VIEW, "spend_7d"]}],
        "assetCheckSelection": [],
    }
    tags = [{"key": "dagster/partition", "value": "2024-01-09"}]
    params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}, "runConfigData": {}}
    launched = interface.ask(LAUNCH, params=params)
    assert launched["__typename"] == "LaunchRunSuccess", launched
    assert interface.wait(RUN, {"SUCCESS", "FAILURE"}, id=launched["run"]["runId"])["status"] == "SUCCESS"
    for name in ("spend_7d", "is_big", "_table"):
        node = interface.ask(NODE, key={"path": [*VIEW, name]})
        assert node["partitionStats"] == {"numMaterialized": 1, "numFailed": 0}
        assert node["assetMaterializations"][0]["partition"] == "2024-01-09"
        assert node["owners"] == [{"team": "growth"}]
    feature = interface.ask(NODE, key={"path": [*VIEW, "spend_7d"]})
    numbers = {e["label"]: e.get("floatValue") for e in feature["assetMaterializations"][0]["metadataEntries"]}
    assert numbers["mean"] > 0
    assert numbers["null_rate"] == 0


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("names", [["spend_7d"], ["_table", *(f.name for f in HouseholdSpend.stored_features)]])
def test_a_backfill_of_thirty_days_ends_green_in_one_run(interface, names):
    days = [(START + timedelta(days=day)).date().isoformat() for day in range(10, 40)]
    keys = [{"path": [*VIEW, name]} for name in names]
    started = interface.ask(BACKFILL, params={"assetSelection": keys, "partitionNames": days})
    assert started["__typename"] == "LaunchBackfillSuccess", started
    done = {"COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED"}
    backfill = interface.wait(PROGRESS, done, id=started["backfillId"])
    assert backfill["status"] == "COMPLETED_SUCCESS"
    assert [run["status"] for run in backfill["runs"]] == ["SUCCESS"]
    for name in ("_table", "spend_7d", "is_big"):
        stats = interface.ask(NODE, key={"path": [*VIEW, name]})["partitionStats"]
        assert stats["numMaterialized"] >= 30
        assert stats["numFailed"] == 0
