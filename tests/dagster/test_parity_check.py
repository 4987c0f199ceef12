"""The asset check ``parity``: what people see of it in Dagster, when all is well and when a value differs."""

import json

import dagster as dg
import polars as pl
import pytest

from tests.dagster.conftest import Location
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
    """Run all parity checks; what each table was found to be."""
    result = location.definitions.resolve_job_def("check_parity").execute_in_process(instance=location.instance)
    assert len([e for e in result.all_events if e.event_type_value == "STEP_SUCCESS"]) == 1
    return {c.asset_key.to_user_string(): c for c in result.get_asset_check_evaluations()}


def shown(check: dg.AssetCheckEvaluation) -> dict:
    return {name: value.value for name, value in check.metadata.items()}


def test_equal_stores_pass_and_say_what_was_compared(served):
    found = checks(served)
    check = found[TABLE]
    assert check.passed, shown(check)
    facts = shown(check)
    assert facts["compared"] > 100
    assert (facts["different"], facts["differences"], facts["problems"]) == (0, "none", "none")
    assert facts["owner"] == "growth"
    for feature in HouseholdSpend:
        for path in ("offline", "online", "online = offline"):
            assert f"| {path} | {feature.name} | " in facts["features"]
    assert json.dumps(facts["seed"]).isdigit()


def test_a_view_of_which_nothing_was_computed_is_a_warning(served):
    check = checks(served)["retail/household_profile/v1/_table"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert shown(check)["problems"] == "nothing to compare: no partition is available and up to date"


def test_a_difference_is_an_error_that_shows_the_offending_rows(served):
    table = served.store.values(HouseholdSpend)
    opened = table.open()
    newest = opened.partitions.row(-1, named=True)
    start = newest["partition_start"]
    rows = table.scan(start).collect().with_columns(pl.col("lines") + 1)
    table.write(rows, start, newest["as_of"], run_id="planted", inputs_hash={start: newest["inputs_hash"]})
    check = checks(served)[TABLE]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.ERROR
    facts = shown(check)
    assert facts["different"] > 0
    lines = [line.strip("| ").split(" | ") for line in facts["differences"].splitlines()]
    assert lines[0] == ["household_id", "at", "feature", "path", "expected", "found", "difference"]
    assert {(line[2], line[3], line[6]) for line in lines[2:] if len(line) > 1} == {
        ("lines", "offline", "1"),
        ("lines", "online = offline", "1"),
    }


def test_it_blocks_nothing_and_runs_every_morning(served):
    graph = served.definitions.resolve_asset_graph()
    key = dg.AssetCheckKey(dg.AssetKey(TABLE.split("/")), "parity")
    assert not graph.get_check_spec(key).blocking
    schedule = served.definitions.resolve_schedule_def("check_parity")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.cron_schedule == "40 6 * * *"
