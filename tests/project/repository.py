"""A repository outside of this one, with a team and data of its own: flights of a few days in 2013."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

FILES = {
    "pyproject.toml": """
[tool.feature_store]
teams = "flights.teams"

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
""",
    "workspace.yaml": """
load_from:
  - python_module: {module_name: flights.teams.air.definitions, location_name: air}
""",
    "flights/__init__.py": "",
    "flights/sources.py": '''
"""What lands."""
from datetime import UTC, datetime
from feature_store import Entity, EventSource, Float64, Int64, String, TableSource, Timestamp

START = datetime(2013, 3, 1, tzinfo=UTC)
airport = Entity("airport", keys={"airport": String}, description="Where flights leave")
departures = EventSource(
    "departures", asset="flights/departures", event_time="left_at", start=START,
    columns={"airport": String, "left_at": Timestamp, "delay": Float64}, description="Departures",
)
''',
    "flights/teams/__init__.py": """
from feature_assets.project import declare_teams

TEAMS = declare_teams(__name__, __path__)
""",
    "flights/teams/air/__init__.py": "",
    "flights/teams/air/team.py": """
from feature_store import Team

team = Team("air", slack_channel="#air", email="air@example.com")
""",
    "flights/teams/air/features/__init__.py": """
from flights.teams.air.features.delays import AirportDelays

views = (AirportDelays,)
""",
    "flights/teams/air/features/delays.py": '''
from feature_store import col, count, feature_view, mean
from flights.sources import airport, departures


@feature_view(
    entity=airport, source=departures, namespace="flights", version=1, owner="air", cadence="1d",
    available_after="2h", freshness="27h",
)
class AirportDelays:
    """How late flights leave."""

    departures_1d = count(over="1d", description="Departures, last day")
    delay_2d = mean(col("delay"), over="2d", description="Mean delay, last two days, minutes")
''',
    "flights/teams/air/services.py": """
from feature_store import FeatureService
from flights.teams.air.features import AirportDelays

services = (
    FeatureService("late", version=1, owner="air", description="Will it be late?", features=[AirportDelays.all()]),
)
""",
    "flights/teams/air/definitions.py": '''
import dagster as dg
import polars as pl
from datetime import timedelta
from feature_assets import build_feature_assets, source_asset
from flights.sources import START, departures
from flights.teams.air.features import views
from flights.teams.air.services import services
from resources.project import project_resources


@source_asset(departures)
def landed(context: dg.AssetExecutionContext) -> pl.DataFrame:
    """Three departures a day from each of two airports."""
    start, end = context.partition_time_window
    days = [start + timedelta(days=day) for day in range((end - start).days)]
    rows = [
        (airport, day + timedelta(hours=hour), float(hour))
        for day in days for airport in ("EWR", "JFK") for hour in (6, 12, 18)
    ]
    return pl.DataFrame(rows, schema=["airport", "left_at", "delay"], orient="row")


defs = dg.Definitions.merge(
    build_feature_assets(views, services),
    dg.Definitions(assets=[landed], resources=project_resources(team="air"), executor=dg.in_process_executor),
)
''',
    "tests/test_slow.py": "def test_everything_else(): raise AssertionError('the whole suite ran')\n",
}


class Repository:
    """Files in a folder, and its commands, each in a process of its own."""

    def __init__(self, folder: Path, url: str = "", files: Mapping[str, str] = FILES) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for name, text in files.items():
            self.write(name, text)
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("FEATURES_", "DAGSTER_", "PYTEST_"))}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        settings = {"FEATURES_ONLINE_URL": url, "DAGSTER_DISABLE_TELEMETRY": "1"}
        self.environment = {**kept, "PATH": path, **settings}

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def features(self, *arguments: object, folder: str = ".") -> subprocess.CompletedProcess[str]:
        return self.run("-m", "feature_assets.cli", *map(str, arguments), folder=folder)

    def run(self, *arguments: str, folder: str = ".") -> subprocess.CompletedProcess[str]:
        """Run Python there."""
        return self.start([sys.executable, *arguments], folder)

    def start(self, command: Sequence[str], folder: str = ".") -> subprocess.CompletedProcess[str]:
        """Run a command there, and wait for it."""
        return subprocess.run(
            command,
            cwd=self.folder / folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
