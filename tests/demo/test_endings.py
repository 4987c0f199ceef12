"""How the demo ends before its end: Ctrl-C, a stage that fails, a wrong setting. One message each, no traceback."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from feature_assets.backfill.stage_error import StageError
from feature_assets.demo.endings import describe_failure
from tests.demo.process import Demo

pytestmark = pytest.mark.timeout(600)


def members_of(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, its_group, *_ = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(its_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.parametrize(
    "reached",
    [
        "state/dagster/dagster.yaml",
        pytest.param(f"state/offline/raw/transactions/_delta_log/{1:020}.json", marks=pytest.mark.full),
    ],
    ids=["start", "landing"],
)
def test_ctrl_c_stops_at_once_and_says_how_to_go_on(tmp_path: Path, scaled_data: Path, reached: str) -> None:
    demo = Demo(tmp_path / "demo", scaled_data)
    with demo.started() as process:
        while not (tmp_path / "demo" / reached).exists():
            assert process.poll() is None, demo.output()
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
        while members_of(process.pid):  # Dagster's watchers of its processes look once a second
            time.sleep(0.1)
    demo.stop_online()
    assert process.returncode == 130
    assert demo.output().endswith("Stopped; `make demo` goes on from here.\n")
    assert "Traceback" not in demo.output()


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "demo", None, DAYS="two")
    with demo.started() as process:
        process.wait()
    assert process.returncode == 2
    assert demo.output().startswith("DAYS='two' is not a whole number")
    assert demo.output().count("\n") == 1


def test_a_full_disk_is_called_so(tmp_path: Path) -> None:
    error = StageError("feature values")
    error.__cause__ = OSError(28, "No space left on device")
    lines = describe_failure(error, tmp_path, free_bytes=1_000_000)
    assert lines[0] == "The stage 'feature values' failed: [Errno 28] No space left on device"
    assert lines[1] == f"The disk of {tmp_path} is full: 1 MB are free."
    assert len(describe_failure(error, tmp_path, free_bytes=10**10)) == 1
