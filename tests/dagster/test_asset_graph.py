"""The asset graph of the sample project, as it was reviewed; and that it loads without touching any store."""

import subprocess
import sys
import warnings
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from feature_assets import build_feature_assets, source_asset
from feature_store import DefinitionError, Entity, EventSource, FeatureView, count, feature_view
from feature_store.checks.declared import LONGEST_NAME
from tests.dagster.sample import project
from tests.dagster.sample.declarations import (
    HouseholdHours,
    HouseholdPrices,
    HouseholdProfile,
    HouseholdSpend,
    churn,
    services,
    views,
)
from tests.dagster.snapshots import check_snapshot, describe


def built(*args, **options) -> dg.Definitions:
    """What the generator makes of declarations, with resources that lead nowhere."""
    given = dg.Definitions(resources=project.resources("nowhere"))
    return dg.Definitions.merge(build_feature_assets(*args, **options), given)


def sample() -> dg.Definitions:
    return built(views, services, training_sets=[project.training])


def test_the_graph_is_the_one_that_was_reviewed():
    check_snapshot("sample", describe(sample()))


def test_loading_touches_no_store(tmp_path):
    missing = tmp_path / "nothing" / "here"
    dg.Definitions.validate_loadable(project.definitions(missing))
    assert not missing.exists()


def test_an_outside_repository_can_use_it_alone():
    definitions = built([HouseholdSpend])
    keys = {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    assert "retail/household_spend/v1/spend_7d" in keys
    assert not [key for key in keys if key.startswith(("models/", "training/"))]


def test_a_location_may_build_for_several_teams_and_twice_for_one():
    merged = dg.Definitions.merge(
        build_feature_assets([HouseholdSpend]),
        build_feature_assets([HouseholdPrices]),
        build_feature_assets([HouseholdHours, HouseholdProfile], name="growth_more"),
        dg.Definitions(resources=project.resources("nowhere")),
    )
    dg.Definitions.validate_loadable(merged)
    parts = ("automation", "freshness", "parity", "repairs")
    names = {f"{name}_{part}" for name in ("growth", "pricing", "growth_more") for part in parts}
    assert {sensor.name for sensor in merged.sensors} == names
    assert all(sensor.description for sensor in merged.sensors)


def other(source: EventSource) -> FeatureView:
    """A view of another source or entity than the sample's."""
    body = {"__doc__": "Rows.", "rows_7d": count(over="7d", description="Rows")}
    options = {"namespace": "retail", "version": 1, "owner": "growth", "cadence": "1d", "freshness": "2d"}
    return feature_view(entity=HouseholdSpend.entity, source=source, name="other", **options)(type("X", (), body))


@pytest.mark.parametrize(
    ("views", "services", "message"),
    [
        ((HouseholdSpend, HouseholdSpend), (), "retail/household_spend/v1: is declared twice"),
        (
            (HouseholdSpend, HouseholdPrices),
            (),
            r"got views of 2 owners: growth \(retail/household_spend/v1\), pricing",
        ),
        (
            (HouseholdSpend, other(replace(HouseholdSpend.source, allowed_lateness="3d"))),
            (),
            (
                "source purchases: retail/household_spend/v1 and retail/other/v1 mean different things: "
                "allowed_lateness '2d' and '3d'"
            ),
        ),
        ((HouseholdSpend,), (churn, churn), "service churn/v1: is declared twice"),
    ],
)
def test_declarations_that_contradict_each_other_are_refused(views, services, message):
    with pytest.raises(DefinitionError, match=message):
        build_feature_assets(views, services)


def test_no_warning_about_dagster_is_shown_to_those_who_declare_views():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_feature_assets(views, services, training_sets=[project.training])
        source_asset(HouseholdSpend.source)(project.receipts)


def test_the_table_promises_what_its_check_asks_and_says_which_feature_sets_it():
    body = {
        "__doc__": "Rows.",
        "rows_7d": count(over="7d", description="Rows | of a week"),
        "rows_3d": count(over="3d", freshness="26h", description="Rows"),
    }
    options = {"namespace": "retail", "version": 1, "owner": "growth", "cadence": "1d", "freshness": "2d"}
    declare = feature_view(entity=HouseholdSpend.entity, source=HouseholdSpend.source, name="other", **options)
    specs = {spec.key.path[-1]: spec for spec in built([declare(type("X", (), body))]).resolve_all_asset_specs()}
    for name, hours in (("_table", 26), ("other_v1", 26), ("rows_3d", 26), ("rows_7d", 48)):
        assert specs[name].freshness_policy.fail_window.to_timedelta() == timedelta(hours=hours)
    shown = specs["_table"].metadata
    assert (shown["freshness"], shown["freshness_set_by"]) == ("26h", "rows_3d")
    assert r"| Rows \| of a week |" in shown["features"].value


def test_nothing_to_build_is_no_error():
    assert not list(built([]).resolve_asset_graph().get_all_asset_keys())


def test_a_service_of_views_built_elsewhere_reads_them_by_key():
    graph = built([HouseholdHours], [churn]).resolve_asset_graph()
    model = graph.get(dg.AssetKey(["models", "churn"]))
    assert dg.AssetKey(["retail", "household_spend", "v1", "spend_7d"]) in model.parent_keys


def test_declarations_are_read_without_dagster():
    code = "import sys, feature_assets; print('dagster' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("feature", "columns"),
    [
        ("spend_7d", ["sales_value"]),
        ("lines", ["purchased_at"]),
        ("spend_trend", ["sales_value"]),
        ("is_big", ["sales_value"]),
        ("days_since_last_purchase", ["purchased_at"]),
    ],
)
def test_lineage_goes_through_derived_features(feature, columns):
    specs = {spec.key.path[-1]: spec for spec in sample().resolve_all_asset_specs()}
    lineage = specs[feature].metadata["dagster/column_lineage"]
    upstream = dg.AssetKey(["raw", "transactions"])
    assert lineage.deps_by_column[feature] == [dg.TableColumnDep(upstream, column) for column in columns]


def test_the_longest_names_load():
    longest = "x" * LONGEST_NAME
    household = Entity(longest, keys=dict(HouseholdSpend.entity.keys), description="A household")
    body = {"__doc__": "Long names.", longest: count(over="7d", description="Rows")}
    options = {"namespace": longest, "version": 1, "owner": "growth", "cadence": "1d", "freshness": "2d"}
    view = feature_view(entity=household, source=HouseholdSpend.source, name=longest, **options)(type("X", (), body))
    dg.Definitions.validate_loadable(built([view]))
