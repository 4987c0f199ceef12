"""A new team in the example project, with sources of its own: the main job lands, computes and serves it as well."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from feature_store.offline.tables.store import OfflineStore
from resources.settings import project_root
from tests.demo.process import Demo
from tests.project.repository import FILES

PACKAGES = ("feature_store", "serving", "resources", "feature_assets", "sensors")
ENDS = ("start=START,", "start=START, end=datetime(2013, 3, 16, tzinfo=UTC),")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project with two more teams: a source that ended in 2013, and one that cannot be landed."""
    root = tmp_path / "project"
    for name in PACKAGES:
        shutil.copytree(project_root() / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copyfile(project_root() / name, root / name)
    add_team(root, "air", {})
    land = {"    rows = [\n": "    raise ConnectionError('the harbour does not answer')\n    rows = [\n"}
    others = {"'late'": "'ships'", '"late"': '"ships"', "AirportDelays": "HarbourDelays", '"airport"': '"harbour"'}
    add_team(root, "sea", {**land, **others, '"departures"': '"sailings"', "flights/departures": "sea/sailings"})
    return root


def add_team(root: Path, name: str, changes: dict[str, str]) -> None:
    package = f"feature_assets.teams.{name}"
    names = {"flights.teams.air": package, "flights.sources": f"{package}.sources", '"air"': f'"{name}"'}
    for file, text in FILES.items():
        if not file.startswith("flights/teams/air/") and file != "flights/sources.py":
            continue
        written = text
        for before, after in {**names, ENDS[0]: ENDS[1], **changes}.items():
            written = written.replace(before, after)
        target = root / "feature_assets/teams" / name / file.removeprefix("flights/").removeprefix("teams/air/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(written)
    with (root / "workspace.yaml").open("a") as workspace:
        workspace.write(f"  - python_module: {{module_name: {package}.definitions, location_name: {name}}}\n")


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_a_finished_source_is_landed_up_to_its_end_and_a_failing_one_costs_its_team_alone(
    project: Path, tmp_path: Path, scaled_data: Path
) -> None:
    demo = Demo(tmp_path / "demo", scaled_data, root=project, DAYS="2")
    try:
        printed = demo.run(ends_with=1)
    finally:
        demo.stop_online()
    store = OfflineStore(demo.offline_root)
    landed = store.source("flights/departures").ledger.partitions()["partition_start"]
    assert (str(landed.min()), str(landed.max()), len(landed)) == (
        "2013-03-01 00:00:00+00:00",
        "2013-03-15 00:00:00+00:00",
        15,
    )
    values = store.stored_values("flights/airport_delays/v1").open()
    days = values.scan(values.between(None, None)).select(pl.col("as_of").unique().sort()).collect()["as_of"]
    assert [str(day) for day in days] == ["2013-03-15 00:00:00+00:00", "2013-03-16 00:00:00+00:00"]
    for service in ("late/v1", "churn/v1", "store_demand/v1"):
        assert f"parity {service}: 1,000 entities" in printed.text
    assert printed.summary["parity_different"] == 0
    assert "parity ships/v1" not in printed.text
    assert "sea/sailings failed: the harbour does not answer\n" in printed.text
    assert "flights/harbour_delays/v1 was not computed, since its source sea/sailings failed\n" in printed.text
    assert "Traceback" not in printed.text
    log = demo.state / "demo.log"
    assert f"The tracebacks are in {log}.\n" in printed.text
    assert "Traceback" in log.read_text()
    assert "the harbour does not answer" in log.read_text()
