"""The asset graphs of our own code locations, as they were reviewed, on the original dates."""

import importlib

import pytest
import yaml

from resources.settings import project_root
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
