"""The asset check ``parity``: what people see of it in Dagster, when all is well and when a value differs."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl
import pytest
from dagster._core.definitions.automation_tick_evaluation_context import build_run_requests
from dagster._core.test_utils import freeze_time

from feature_assets.generator.parity_checks import PARITY
from tests.dagster.conftest import Location
from tests.dagster.sample import project
from tests.dagster.sample.declarations import HouseholdSpend

VIEW = "retail/household_spend/v1"
TABLE, ONLINE = f"{VIEW}/_table", "online/retail/household_spend_v1"


@pytest.fixture
def served(ready, valkey) -> Location:
    location = Location(ready.instance, ready.root, online_url=valkey)
    location.run([TABLE], "2024-01-10", "2024-01-12")
    location.run([ONLINE])
    return location


def checks(location: Location) -> dict[str, dg.AssetCheckEvaluation]:
    """Run all parity checks; what each view was found to be."""
    job = location.definitions.resolve_implicit_global_asset_job_def()
    graph = location.definitions.resolve_asset_graph()
    keys = frozenset(key for key in graph.asset_check_keys if key.name == PARITY)
    subset = job.get_subset(asset_selection=frozenset(), asset_check_selection=keys)
    result = subset.execute_in_process(instance=location.instance)
    assert len([e for e in result.all_events if e.event_type_value == "STEP_SUCCESS"]) == 1
    return {c.asset_key.to_user_string(): c for c in result.get_asset_check_evaluations()}


def shown(check: dg.AssetCheckEvaluation) -> dict:
    return {name: value.value for name, value in check.metadata.items()}


def test_equal_stores_pass_and_say_what_was_compared(served):
    found = checks(served)
    check = found[ONLINE]
    assert check.passed, shown(check)
    facts = shown(check)
    assert facts["compared"] > 100
    assert (facts["different"], facts["differences"], facts["problems"]) == (0, "none", "none")
    assert facts["owner"] == "growth"
    for feature in HouseholdSpend:
        for path in ("offline", "online", "online = offline"):
            assert f"| {path} | {feature.name} | " in facts["features"]
    assert facts["seed"].isdigit()


def test_a_view_of_which_nothing_was_computed_is_a_warning(served):
    check = checks(served)["online/retail/household_profile_v1"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert shown(check)["problems"] == "- nothing to compare: no partition is available and up to date"


def test_a_difference_is_an_error_that_shows_the_offending_rows(served):
    table = served.store.values(HouseholdSpend)
    opened = table.open()
    newest = opened.partitions.row(-1, named=True)
    start = newest["partition_start"]
    rows = table.scan(start).collect().with_columns(pl.col("lines") + 1)
    table.write(rows, start, newest["as_of"], run_id="planted", inputs_hash={start: newest["inputs_hash"]})
    load = served.run([ONLINE])
    assert {check.check_name for check in load.get_asset_check_evaluations()} == set(), "parity is no part of a load"
    check = checks(served)[ONLINE]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.ERROR
    facts = shown(check)
    assert facts["different"] > 0
    lines = [line.strip("| ").split(" | ") for line in facts["differences"].splitlines()]
    assert lines[0] == ["household_id", "at", "feature", "path", "expected", "found", "difference"]
    assert {(line[2], line[3], line[6]) for line in lines[2:] if len(line) > 1} == {
        ("lines", "offline", "1"),
        ("lines", "online", "1"),
    }


def test_what_is_to_be_loaded_is_not_taken_for_different(served):
    """After a repair, before the load that follows it."""
    day = datetime(2024, 1, 12, tzinfo=UTC)
    rows = project.receipts(day, day + timedelta(days=1))
    source = served.store.source("raw/transactions")
    late = rows.head(3).with_columns(pl.col("sales_value") + 100)
    source.write(pl.concat([rows, late]), day, day + timedelta(days=1), time_column="purchased_at", run_id="late")
    served.run([f"{VIEW}/_tiles"], "2024-01-12")
    served.run([TABLE], "2024-01-12")
    check = checks(served)[ONLINE]
    assert check.passed, shown(check)
    assert "- as-of 2024-01-13T00:00:00Z is not compared online: it was written anew and is to be loaded" in (
        shown(check)["left_out"].splitlines()
    )
    served.run([ONLINE])
    assert shown(checks(served)[ONLINE])["left_out"].count("to be loaded") == 0


def test_every_morning_all_are_requested_in_one_run_and_loads_run_without_them(tmp_path):
    definitions = project.definitions(tmp_path)
    graph, sensor = definitions.resolve_asset_graph(), definitions.resolve_sensor_def("growth_parity")
    keys = {key for key in graph.asset_check_keys if key.name == PARITY}
    assert {key.asset_key.path[-1] for key in keys} == {
        "household_spend_v1", "household_hours_v2", "household_profile_v1",
    }  # fmt: skip
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert sensor.asset_selection.resolve_checks(graph) == keys
    assert not any(graph.get_check_spec(key).blocking for key in keys)
    load = dg.AssetKey(ONLINE.split("/"))
    selection = sensor.asset_selection | dg.AssetSelection.assets(load)
    cursor, requested = None, []
    with dg.DagsterInstance.ephemeral() as instance:
        table = dg.AssetKey(TABLE.split("/"))
        instance.report_runless_asset_event(dg.AssetMaterialization(table, partition="2024-01-12"))
        for minute in (39, 41, 42):
            now = datetime(2024, 2, 1, 6, minute, tzinfo=UTC)
            with freeze_time(now):
                result = dg.evaluate_automation_conditions(
                    definitions, instance, selection, evaluation_time=now, cursor=cursor
                )
                subsets = [each.true_subset for each in result.results if not each.true_subset.is_empty]
                runs = build_run_requests(subsets, graph, {}, emit_backfills=True)
            cursor = result.cursor
            requested.append([(run.asset_selection, set(run.asset_check_keys)) for run in runs])
    assert requested == [[([load], set())], [([], keys)], []]
