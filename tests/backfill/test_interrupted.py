"""Runs whose process was killed are closed; those of a process that lives are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from feature_assets.backfill.interrupted import PROCESS_TAG, AliveMark, close_interrupted_runs
from resources.dagster_home import use_project_home
from resources.settings import Settings

HOLD = "from feature_assets.backfill.interrupted import AliveMark; m = AliveMark(); print(m.name, flush=True); input()"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance of the test's own."""
    for name in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY", "PYTHONWARNINGS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("FEATURES_STATE", str(tmp_path))
    use_project_home(Settings.from_environment())


def started_run(tags: dict[str, str]) -> str:
    """A run that Dagster takes for running."""
    with dg.DagsterInstance.get() as instance:
        run = instance.create_run_for_job(dg.job(name="nothing")(lambda: None), tags=tags)
        return run.run_id


def status_of(run_id: str) -> dg.DagsterRunStatus:
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        return run.status


def test_runs_of_a_killed_process_are_closed_and_no_others() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        killed = started_run({PROCESS_TAG: other.stdout.readline().strip()})
        mine = AliveMark()
        living, foreign = started_run({PROCESS_TAG: mine.name}), started_run({})
        assert close_interrupted_runs() == 0
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert close_interrupted_runs() == 1
        assert close_interrupted_runs() == 0
    assert status_of(killed) == dg.DagsterRunStatus.CANCELED
    assert status_of(living) == status_of(foreign) == dg.DagsterRunStatus.NOT_STARTED
    mine.close()
    assert close_interrupted_runs() == 1
