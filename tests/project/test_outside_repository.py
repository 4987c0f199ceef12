"""Another repository has the commands, the sensors and the pytest plug-in for its own teams, and nothing of ours."""

import json

from feature_store.plans.plan_revisions import current_plans
from tests.project.repository import Repository


def test_the_commands_know_its_teams_alone_from_any_of_its_folders(repository: Repository) -> None:
    for folder in (".", "flights/teams"):
        done = repository.features("list", "--kind", "view", "--json", folder=folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert [record["name"] for record in json.loads(done.stdout)] == ["flights/airport_delays/v1"]


def test_the_project_can_be_named_from_elsewhere(repository: Repository) -> None:
    repository.environment["FEATURES_PROJECT"] = str(repository.folder)
    done = repository.features("list", "--kind", "service", "--json", folder="..")
    assert [record["name"] for record in json.loads(done.stdout)] == ["late/v1"]


def test_a_folder_that_is_no_project_is_refused(repository: Repository) -> None:
    repository.environment["FEATURES_PROJECT"] = str(repository.folder / "flights")
    done = repository.features("list")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "is no project: its pyproject.toml needs a table [tool.feature_store]" in done.stderr


def test_plans_and_state_lie_in_the_repository(repository: Repository) -> None:
    done = repository.features("apply")
    assert (done.returncode, done.stderr) == (0, "")
    plans = current_plans(repository.folder / ".state" / "plans")
    assert (plans.revision, [path.name for path in plans.folder.iterdir()]) == (1, ["late.v1.json"])
    assert (repository.folder / ".state" / "catalog.db").exists()


def test_the_sensors_watch_its_views(repository: Repository) -> None:
    code = (
        "from sensors.definitions import defs; import sys; "
        "print([sensor.name for sensor in defs.sensors]); "
        "print(sorted(name for name in sys.modules if name.startswith('feature_assets.teams')))"
    )
    done = repository.run("-c", code)
    sensors = ["freshness_to_slack", "damage_to_slack", "expired_branches"]
    assert done.stdout.splitlines() == [str(sensors), "[]"], done.stderr


def test_the_plug_in_tests_its_views(repository: Repository) -> None:
    done = repository.run("-m", "pytest", "-q", "--feature-parity", "flights.teams.air.features.delays")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_it_backfills_explains_serves_and_trains(repository: Repository) -> None:
    done = repository.features("backfill", "airport_delays", "--from", "2013-03-03", "--to", "2013-03-06")
    assert done.returncode == 0, done.stderr
    assert repository.features("apply").returncode == 0
    got = json.loads(repository.features("get", "late", "--key", "airport=JFK", "--json").stdout)
    assert list(got["features"].values()) == [[3], [12.0]]
    explained = repository.features(
        "explain", "airport_delays.delay_2d", "--key", "airport=JFK", "--at", "2013-03-06T06:00:00Z", "--json"
    )
    assert explained.returncode == 0, explained.stderr
    sides = json.loads(explained.stdout)["sides"]
    assert [sides[each]["value"] for each in ("recomputed", "offline", "online")] == [12.0, 12.0, 12.0]
    repository.write("spine.csv", "airport,time,late\nJFK,2013-03-06T06:00:00Z,1\nLAX,2013-03-05T02:00:01Z,0\n")
    trained = repository.features("training-set", "late", "--spine", "spine.csv", "--out", "rows.csv")
    assert trained.returncode == 0, trained.stderr
    assert (repository.folder / "rows.csv").read_text().splitlines() == [
        "airport,time,late,airport_delays__departures_1d,airport_delays__delay_2d",
        "JFK,2013-03-06T06:00:00.000000+00:00,1,3,12.0",
        "LAX,2013-03-05T02:00:01.000000+00:00,0,0,",
    ]
