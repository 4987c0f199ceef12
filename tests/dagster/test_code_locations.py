"""The asset graphs of our own code locations, as they were reviewed, on the original dates."""

import importlib
import json
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.remote_representation.external_data import RepositorySnap

from resources.offline import DeltaIOManager, OfflineStoreResource
from resources.online import OnlineStoreResource
from resources.project import project_resources
from resources.settings import project_root
from resources.slack import SlackResource
from tests.dagster.snapshots import check_snapshot, describe

LOCATIONS = {
    entry["python_module"]["location_name"]: entry["python_module"]["module_name"]
    for entry in yaml.safe_load((project_root() / "workspace.yaml").read_text())["load_from"]
}


@pytest.mark.parametrize("name", LOCATIONS)
def test_the_graph_is_the_one_that_was_reviewed(name):
    check_snapshot(f"location_{name}", describe(importlib.import_module(LOCATIONS[name]).defs))


def test_no_two_locations_make_one_asset():
    made: dict[str, str] = {}
    for name, module in LOCATIONS.items():
        graph = importlib.import_module(module).defs.resolve_asset_graph()
        for key in graph.materializable_asset_keys:
            assert made.setdefault(key.to_user_string(), name) == name
    assert len(made) > 80


def test_secrets_reach_runs_but_not_what_dagster_records(monkeypatch: pytest.MonkeyPatch):
    options = {"AWS_SECRET_ACCESS_KEY": "secret-of-s3"}
    url = "redis://loader:secret-of-redis@127.0.0.1:1/0"
    monkeypatch.setenv("FEATURES_STORAGE_OPTIONS", json.dumps(options))
    monkeypatch.setenv("FEATURES_ONLINE_URL", url)
    monkeypatch.setenv("FEATURES_SLACK_TOKEN", "secret-of-slack")
    seen: dict[str, Any] = {}

    @dg.asset
    def reads_them(
        offline_store: OfflineStoreResource,
        online_store: OnlineStoreResource,
        slack: dg.ResourceParam[SlackResource],
        delta_io: dg.ResourceParam[DeltaIOManager],
    ) -> None:
        seen["options of the IO manager"] = delta_io.offline_store.store.storage_options
        seen["options"] = offline_store.store.storage_options
        seen["url"] = online_store.running_url()
        seen["token"] = slack.get_client().token

    resources = project_resources("growth")
    defs = dg.Definitions([reads_them], resources=resources)
    recorded = dg.serialize_value(RepositorySnap.from_def(defs.get_repository_def()))
    assert "FEATURES_SLACK_TOKEN" in recorded
    assert "secret-of" not in recorded
    assert dg.materialize([reads_them], resources=resources).success
    assert seen == {
        "options": options,
        "options of the IO manager": options,
        "url": url,
        "token": "secret-of-slack",
    }
