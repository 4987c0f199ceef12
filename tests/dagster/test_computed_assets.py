"""Assets that one op computes: the same as ``dagster.multi_asset`` makes, and made with a bounded amount of work."""

import cProfile
import pstats
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import pytest

from benchmarks.catalog.generated import Organisation, by_team, declare
from feature_assets.generator import build_feature_assets, computed_assets, online_assets, view_assets
from feature_assets.generator.retries import RETRIES
from feature_assets.teams.growth.features import views
from feature_store import FeatureView
from resources.project import project_resources

MAKERS = {
    "tiles": (view_assets, view_assets.tiles_asset),
    "table": (view_assets, view_assets.table_assets),
    "online": (online_assets, online_assets.online_asset),
}
MOST_CALLS = 1700
"""Calls of Python per feature, Dagster's among them, from views to a repository."""


def decorated(
    name: str,
    specs: Sequence[dg.AssetSpec],
    compute: Callable[..., Any],
    *,
    checks: Sequence[dg.AssetCheckSpec] = (),
    backfill_policy: dg.BackfillPolicy | None = None,
    can_subset: bool = False,
) -> dg.AssetsDefinition:
    decorate = dg.multi_asset(
        name=name,
        specs=specs,
        check_specs=checks,
        can_subset=can_subset,
        backfill_policy=backfill_policy,
        retry_policy=RETRIES,
    )
    return decorate(compute)


def facts(made: dg.AssetsDefinition) -> dict[str, Any]:
    """Return all that a run or the UI takes from assets, apart from what outputs repeat of the specs."""
    op = made.op
    return {
        "specs": list(made.specs),
        "checks": list(made.check_specs),
        "inputs": made.keys_by_input_name,
        "outputs": made.keys_by_output_name,
        "resources": made.required_resource_keys,
        "can_subset": made.can_subset,
        "backfill_policy": made.backfill_policy,
        "dependencies": made.asset_deps,
        "op": (op.name, op.retry_policy, op.required_resource_keys, op.pool, op.tags, op.config_schema.config_type),
        "ins": {name: (each.dagster_type, each.metadata) for name, each in op.ins.items()},
        "outs": {
            name: (each.dagster_type, each.is_required, each.io_manager_key, each.is_dynamic)
            for name, each in op.outs.items()
        },
    }


@pytest.mark.parametrize("part", MAKERS)
@pytest.mark.parametrize("view", views, ids=lambda view: view.name)
def test_they_are_those_of_the_decorator(part: str, view: FeatureView, monkeypatch: pytest.MonkeyPatch) -> None:
    module, make = MAKERS[part]
    made = facts(make(view))
    monkeypatch.setattr(module, "computed_assets", decorated)
    assert made == facts(make(view))


def test_a_selection_of_them_is_that_of_the_decorator(monkeypatch: pytest.MonkeyPatch) -> None:
    made = view_assets.table_assets(views[0])
    monkeypatch.setattr(view_assets, "computed_assets", decorated)
    other = view_assets.table_assets(views[0])
    for key in made.keys:
        assert facts(made.subset_for({key}, None)) == facts(other.subset_for({key}, None))


def test_a_function_made_anew_for_each_view_is_inspected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    inspected: list[object] = []
    original = computed_assets.inspect.signature

    def inspecting(function: Callable[..., Any]) -> object:
        inspected.append(function)
        return original(function)

    monkeypatch.setattr(computed_assets.inspect, "signature", inspecting)
    monkeypatch.setattr(computed_assets, "_signatures", {})
    for view in views:
        view_assets.table_assets(view)
    assert len([each for each in inspected if getattr(each, "__name__", "") == "compute_view"]) == 1


def calls(count: int) -> int:
    """Return how many calls a code location of so many views costs, of 20 features each."""
    declarations = declare(Organisation(count, 2))
    profile = cProfile.Profile()
    with profile:
        parts = [build_feature_assets(views, services) for views, services in by_team(declarations)]
        defs = dg.Definitions.merge(*parts, dg.Definitions(resources=project_resources(team="team00")))
        defs.get_repository_def()
    return pstats.Stats(profile).total_calls  # pyright: ignore[reportAttributeAccessIssue]


def test_a_feature_more_costs_a_code_location_a_bounded_number_of_calls() -> None:
    calls(2)  # what is made once
    assert (calls(20) - calls(10)) / 200 < MOST_CALLS


def test_features_of_a_view_share_partitions_policies_and_conditions() -> None:
    declarations = declare(Organisation(10, 2))
    parts = [build_feature_assets(views, services) for views, services in by_team(declarations)]
    assets = [each for part in parts for each in part.assets or () if isinstance(each, dg.AssetsDefinition)]
    specs = [spec for each in assets for spec in each.specs]
    assert len(specs) > 200
    partitions = {id(spec.partitions_def) for spec in specs if spec.partitions_def is not None}
    conditions = {id(spec.automation_condition) for spec in specs if spec.automation_condition is not None}
    assert len(partitions) <= 2
    assert len(conditions) <= 2
