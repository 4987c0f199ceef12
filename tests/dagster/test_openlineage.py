"""Finished runs reach an OpenLineage server: what they wrote, column by column, once, and again if it was away."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import dagster as dg
import jsonschema
import pytest

from sensors.finished_runs import FinishedRun
from sensors.lineage_events import events_of, lineage_tables
from sensors.openlineage import lineage_to_openlineage
from tests.dagster.conftest import Location
from tests.dagster.lineage_server import LineageServer
from tests.dagster.sample.declarations import HouseholdSpend, churn, services, views

NAME = HouseholdSpend.full_name
FACET = {"type": "object", "required": ["_producer", "_schemaURL"]}
DATASET = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": {
        "namespace": {"type": "string", "minLength": 1},
        "name": {"type": "string", "minLength": 1},
        "facets": {
            "type": "object",
            "additionalProperties": FACET,
            "properties": {
                "schema": {
                    "required": ["fields"],
                    "properties": {
                        "fields": {"type": "array", "items": {"required": ["name"], "type": "object"}},
                    },
                },
                "columnLineage": {
                    "required": ["fields"],
                    "properties": {
                        "fields": {
                            "type": "object",
                            "additionalProperties": {
                                "required": ["inputFields"],
                                "properties": {
                                    "inputFields": {
                                        "type": "array",
                                        "items": {"type": "object", "required": ["namespace", "name", "field"]},
                                    }
                                },
                            },
                        }
                    },
                },
            },
        },
    },
}
RUN_EVENT = {
    "type": "object",
    "required": ["eventType", "eventTime", "producer", "schemaURL", "run", "job"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": {"type": "string", "format": "uri"},
        "schemaURL": {"type": "string", "format": "uri"},
        "run": {
            "required": ["runId"],
            "properties": {
                "runId": {"type": "string", "format": "uuid"},
                "facets": {"type": "object", "additionalProperties": FACET},
            },
        },
        "job": {
            "required": ["namespace", "name"],
            "properties": {"facets": {"type": "object", "additionalProperties": FACET}},
        },
        "inputs": {"type": "array", "items": DATASET},
        "outputs": {"type": "array", "items": DATASET},
    },
}
"""What the specification of OpenLineage asks of an event with the facets that ours have."""


class Told:
    """The sensor, look by look; its cursor is all that is kept between looks."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._cursor: str | None = None

    def look(self) -> str | None:
        resources = {"offline_store": self._location.resources["offline_store"]}
        with dg.build_sensor_context(
            instance=self._location.instance, cursor=self._cursor, resources=resources
        ) as context:
            try:
                return lineage_to_openlineage(views, services)(context).skip_message
            finally:
                self._cursor = context.cursor


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LineageServer]:
    with LineageServer() as server:
        monkeypatch.setenv("OPENLINEAGE_URL", server.url)
        yield server


@pytest.fixture
def told(server: LineageServer, location: Location) -> Told:
    made = Told(location)
    assert made.look() == "0 events sent"
    return made


def of_job(server: LineageServer, name: str) -> list[dict[str, Any]]:
    return [event for event in server.events if event["job"]["name"] == name]


def test_what_runs_wrote_is_told_once_and_column_by_column(
    told: Told, server: LineageServer, location: Location
) -> None:
    location.land(last="2024-01-02")
    location.tiles(last="2024-01-02")
    keys = [f"{NAME}/{name}" for name in ("_table", *(feature.name for feature in HouseholdSpend.stored_features))]
    assert location.run(keys, "2024-01-02").success
    told.look()
    told.look()
    for event in server.events:
        jsonschema.validate(event, RUN_EVENT, format_checker=jsonschema.FormatChecker())
    assert [event["eventType"] for event in of_job(server, NAME)] == ["START", "COMPLETE"]
    assert [event["eventType"] for event in of_job(server, "raw/transactions")] == ["START", "COMPLETE"]
    began, ended = of_job(server, NAME)
    assert began["run"]["runId"] == ended["run"]["runId"]
    assert datetime.fromisoformat(began["eventTime"]) <= datetime.fromisoformat(ended["eventTime"])
    assert ended["job"]["facets"]["ownership"]["owners"] == [{"name": "team:growth", "type": "OWNER"}]
    root = location.store.root
    (read,), (written,) = ended["inputs"], ended["outputs"]
    assert (read["namespace"], read["name"]) == ("file", f"{root}/raw/transactions")
    assert (written["namespace"], written["name"]) == ("file", f"{root}/views/{NAME}/values")
    fields = written["facets"]["columnLineage"]["fields"]
    assert {(field["name"], field["field"]) for field in fields["spend_7d"]["inputFields"]} == {
        (f"{root}/raw/transactions", "sales_value")
    }
    assert [field["field"] for field in fields["household_id"]["inputFields"]] == ["household_id"]
    stored = {"household_id", *(feature.name for feature in HouseholdSpend.stored_features)}
    assert fields.keys() == stored == {field["name"] for field in written["facets"]["schema"]["fields"]}


def test_a_run_is_told_again_until_the_server_has_taken_it(
    told: Told, server: LineageServer, location: Location
) -> None:
    location.land(last="2024-01-01")
    server.broken = True
    with pytest.raises(Exception, match="404"):
        told.look()
    assert server.events == []
    server.broken = False
    told.look()
    assert [event["eventType"] for event in of_job(server, "raw/transactions")] == ["START", "COMPLETE"]


def test_a_run_that_failed_says_what_it_was_to_write(told: Told, server: LineageServer, location: Location) -> None:
    assert not location.run([f"{NAME}/_tiles", f"{NAME}/_table"], "2024-01-05", raise_on_error=False).success
    told.look()
    failed = of_job(server, NAME)
    assert [event["eventType"] for event in failed] == ["START", "FAIL"]
    assert failed[1]["run"]["facets"]["errorMessage"]["message"]


def test_training_sets_come_from_the_columns_of_the_views_they_read(location: Location) -> None:
    tables = {table.name: table for table in lineage_tables(location.store, views, services)}
    training = tables[f"training/{churn.full_name}"]
    assert training.owner == churn.owner
    of_spend = location.store.values(HouseholdSpend).uri
    assert training.columns["household_spend__spend_7d"] == [(of_spend, "spend_7d")]
    assert training.types.keys() == training.columns.keys()


def test_nothing_is_told_of_a_run_of_something_else(location: Location) -> None:
    now = datetime.fromisoformat("2024-01-01T00:00:00+00:00")
    run = FinishedRun(str(uuid.uuid4()), "j", now, now, "COMPLETE", "", frozenset(), frozenset({dg.AssetKey("other")}))
    assert list(events_of(run, lineage_tables(location.store, views, services))) == []


def test_the_location_that_watches_has_the_sensor_where_a_server_is_named() -> None:
    code = "from sensors.definitions import defs; print(*sorted(sensor.name for sensor in defs.sensors))"
    for url, has in (("http://127.0.0.1:9", True), ("", False)):
        environment = {**os.environ, "OPENLINEAGE_URL": url}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert ("lineage_to_openlineage" in done.stdout) == has
