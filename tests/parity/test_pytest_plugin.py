"""``pytest --feature-parity`` as another repository uses it: its own folder, its own views, nothing of ours."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

DECLARATIONS = """
from datetime import UTC, datetime
from feature_store import Entity, EventSource, Float64, Int64, Team, Timestamp, col, count, feature_view, mean, sum_

Team("rides", slack_channel="#rides", email="rides@example.com")
driver = Entity("driver", keys={"driver_id": Int64}, description="A driver")
trips = EventSource(
    "trips",
    asset="raw/trips",
    event_time="ended_at",
    columns={"driver_id": Int64, "fare": Float64, "ended_at": Timestamp},
    start=datetime(2024, 1, 1, tzinfo=UTC),
    description="Trips",
)
OPTIONS = dict(entity=driver, source=trips, namespace="rides", version=1, owner="rides", cadence="1d", freshness="2d")


@feature_view(**OPTIONS)
class DriverTrips:
    '''Trips of a driver.'''

    trips_7d = count(over="7d", description="Trips, last 7 days")


@feature_view(**OPTIONS)
class DriverFares:
    '''Fares of a driver.'''

    fares_30d = sum_(col("fare"), over="30d", where=col("fare") > 20, description="Fares above 20, last 30 days")
    mean_7d = mean(col("fare"), over="7d", description="Mean fare, last 7 days")
"""

BROKEN = """
from feature_store.temporal.windows import Window

tail = Window.tail
Window.tail = lambda window, as_of: tail(window, as_of) + window.hop
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "ride_features.py").write_text(DECLARATIONS)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    command = [str(Path(sys.executable).with_name("pytest")), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_it_is_installed_with_the_package():
    (found,) = [e for e in entry_points(group="pytest11") if e.value == "feature_assets.pytest_plugin"]
    assert found.name == "feature_parity"


def test_every_view_of_a_module_is_a_test(repository):
    code, printed = run(repository, "--feature-parity", "ride_features", "-v")
    assert code == 0, printed
    assert "feature-parity:rides/driver_trips/v1 PASSED" in printed
    assert "feature-parity:rides/driver_fares/v1 PASSED" in printed
    assert "2 passed" in printed


def test_views_are_chosen_like_other_tests(repository):
    code, printed = run(repository, "--feature-parity", "ride_features", "-k", "driver_fares")
    assert code == 0, printed
    assert "1 passed, 1 deselected" in printed


def test_their_ids_can_be_given_back_and_single_tests_run_alone(repository):
    (repository / "test_other.py").write_text("def test_one(): pass\n\ndef test_two(): pass\n")
    option = ["--feature-parity", "ride_features"]
    code, printed = run(repository, *option, "--collect-only", "-q", ".")
    ids = [line for line in printed.splitlines() if "::" in line]
    assert sorted(ids) == [
        "ride_features.py::feature-parity:rides/driver_fares/v1",
        "ride_features.py::feature-parity:rides/driver_trips/v1",
        "test_other.py::test_one",
        "test_other.py::test_two",
    ]
    for chosen in ids:
        code, printed = run(repository, *option, chosen)
        assert code == 0, printed
        assert "1 passed" in printed
    assert "4 passed" in run(repository, *option, ".")[1]
    assert "4 passed" in run(repository, *option, "test_other.py")[1]


@pytest.mark.parametrize("settings", ["", "testpaths = ['tests']\n"])
def test_without_paths_they_run_alone_and_it_says_so(repository, settings):
    (repository / "tests").mkdir()
    for folder in (repository, repository / "tests"):
        (folder / f"test_{folder.name}.py").write_text("def test_other(): raise AssertionError('the suite ran')\n")
    with (repository / "pyproject.toml").open("a") as file:
        file.write(settings)
    code, printed = run(repository, "--feature-parity", "ride_features")
    assert code == 0, printed
    assert "2 passed" in printed
    assert "feature parity: the views of ride_features alone; give paths to run other tests too" in printed
    assert "give paths" not in run(repository, "--feature-parity", "ride_features", ".")[1]


def test_in_the_settings_of_a_repository_they_are_part_of_every_run(repository):
    (repository / "test_other.py").write_text("def test_one(): pass\n")
    with (repository / "pyproject.toml").open("a") as file:
        file.write("addopts = '--feature-parity ride_features'\n")
    code, printed = run(repository)
    assert code == 0, printed
    assert "3 passed" in printed


def test_those_that_failed_last_run_alone(repository):
    (repository / "conftest.py").write_text(BROKEN)
    (repository / "test_other.py").write_text("def test_one(): pass\n")
    arguments = ["--feature-parity", "ride_features", "--lf", "."]
    assert "2 failed, 1 passed" in run(repository, *arguments)[1]
    assert "2 failed in" in run(repository, *arguments)[1]
    (repository / "conftest.py").unlink()
    assert "2 passed in" in run(repository, *arguments)[1]
    assert "3 passed in" in run(repository, *arguments)[1]


def test_a_listing_called_views_says_which(repository):
    with (repository / "ride_features.py").open("a") as module:
        module.write("\nviews = [DriverTrips]\n")
    code, printed = run(repository, "--feature-parity", "ride_features")
    assert code == 0, printed
    assert "1 passed" in printed


def test_a_wrong_engine_fails_with_the_offending_rows_and_without_a_traceback(repository):
    (repository / "conftest.py").write_text(BROKEN)
    code, printed = run(repository, "--feature-parity", "ride_features")
    assert code == 1, printed
    assert "| driver_id | at | feature | path | expected | found | difference |" in printed
    assert "| fares_30d | engine |" in printed
    assert "Traceback" not in printed
    assert "2 failed" in printed


@pytest.mark.parametrize(
    ("module", "message"),
    [("no_such_module", "No module named 'no_such_module'"), ("json", "no feature view is defined there")],
)
def test_a_module_that_cannot_be_tested_is_an_error(repository, module, message):
    code, printed = run(repository, "--feature-parity", module)
    assert code == 4, printed
    assert message in printed


def test_without_the_option_nothing_is_imported(repository):
    (repository / "test_nothing.py").write_text(
        "import sys\n\ndef test_nothing():\n    assert not {'polars', 'feature_store'} & sys.modules.keys()\n"
    )
    code, printed = run(repository)
    assert code == 0, printed
