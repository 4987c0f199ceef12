"""No started program outlives the test run, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resources.settings import project_root
from tests.fixtures.servers.processes import Process

SERVER = """
import os, subprocess, sys, time
from pathlib import Path
own_session = subprocess.Popen(["sleep", "600"], start_new_session=True)
child = subprocess.Popen(["sleep", "600"])
Path(sys.argv[1]).write_text(f"{os.getpid()} {own_session.pid} {child.pid}\\n")
time.sleep(600)
"""
"""A server that does not end its children, one of which has left its session."""

TEST_RUN = """
import sys, time
from pathlib import Path
from tests.fixtures.servers.processes import Process
Process([sys.executable, "-c", sys.argv[1], sys.argv[2]], Path(sys.argv[3]))
time.sleep(600)
"""


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    return tmp_path / "pids"


def started_pids(path: Path) -> list[int]:
    for _ in range(3000):
        if path.exists() and path.read_text().endswith("\n"):
            return [int(pid) for pid in path.read_text().split()]
        time.sleep(0.01)
    raise TimeoutError("the server did not start")


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_end(pids: list[int]) -> bool:
    for _ in range(3000):
        if not any(runs(pid) for pid in pids):
            return True
        time.sleep(0.01)
    return False


def server(pids: Path, tmp_path: Path) -> Process:
    return Process([sys.executable, "-c", SERVER, pids], tmp_path / "log")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_stopped_server_takes_its_descendants_along(pids: Path, tmp_path: Path, how: str) -> None:
    process = server(pids, tmp_path)
    found = started_pids(pids)
    assert all(runs(pid) for pid in found)
    getattr(process, how)()
    assert not process.running
    assert not any(runs(pid) for pid in found)


def test_a_server_that_ends_by_itself_takes_its_descendants_along(pids: Path, tmp_path: Path) -> None:
    process = server(pids, tmp_path)
    found = started_pids(pids)
    os.kill(found[0], signal.SIGKILL)
    assert process.wait(60) != 0
    assert not any(runs(pid) for pid in found)
    process.stop()


def test_a_killed_test_run_leaves_nothing_behind(pids: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", TEST_RUN, SERVER, pids, tmp_path / "log"]
    with subprocess.Popen(command, cwd=project_root()) as run:
        found = started_pids(pids)
        run.kill()
    assert all_end(found)


def test_a_server_stops_by_the_signal_it_asks_for(tmp_path: Path) -> None:
    waiting = "trap 'echo stopped; exit 0' INT; echo ready; while :; do sleep 0.05; done"
    process = Process(["bash", "-c", waiting], tmp_path / "log", stop_with=signal.SIGINT)
    process.wait_until(lambda: process.printed() == "ready")
    process.stop()
    assert process.printed() == "ready\nstopped"


def test_a_server_that_ends_at_its_start_says_why(tmp_path: Path) -> None:
    process = Process(["bash", "-c", "echo no such option; exit 3"], tmp_path / "log")
    with pytest.raises(RuntimeError, match="bash ended by itself\\.\nno such option"):
        process.wait_until(lambda: False)
    process.stop()


def test_patience_has_an_end(tmp_path: Path) -> None:
    process = Process(["sleep", "600"], tmp_path / "log")
    with pytest.raises(TimeoutError, match="sleep is not ready after 0 s"):
        process.wait_until(lambda: False, patience=0)
    process.stop()
