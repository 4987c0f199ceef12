"""``make dev``: ports that are taken, and Ctrl-C whenever the user loses patience."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from resources.settings import project_root
from serving.stores.redis.embedded import stop_embedded
from tests.demo.process import HEEDING_CTRL_C
from tests.fixtures.valkey import free_port

OUTPUT = "output.txt"


@contextmanager
def development(
    folder: Path, starter: tuple[str, ...] = HEEDING_CTRL_C, **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """``make dev`` on a state of its own, as a terminal starts it: the leader of a process group."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("FEATURES_", "DAGSTER_"))}
    environment = {**given, "FEATURES_STATE": str(folder), "PYTHONUNBUFFERED": "1", **settings}
    with (folder / OUTPUT).open("w") as output:
        process = subprocess.Popen(
            [*starter, sys.executable, "-m", "feature_assets.demo.dev"],
            cwd=project_root(),
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for left in processes_of(folder):
            os.kill(left, signal.SIGKILL)
        process.wait()
        stop_embedded(folder / "online")


def processes_of(folder: Path) -> list[int]:
    """Every living process that has this state folder, but for the embedded Valkey, which is to stay."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment, command = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
        except OSError:
            continue
        if f"FEATURES_STATE={folder}\0".encode() in environment and command and b"valkey-server" not in command:
            found.append(int(process.name))
    return found


def store_runs(folder: Path) -> bool:
    record = folder / "online" / "valkey.pid"
    return record.exists() and Path(f"/proc/{record.read_text().strip()}").exists()


def answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("variable", "what"), [("FEATURES_HTTP_PORT", "feature server"), ("FEATURES_UI_PORT", "Dagster UI")]
)
def test_a_port_that_is_taken_is_one_line_that_names_the_variable(tmp_path: Path, variable: str, what: str) -> None:
    ports = {"FEATURES_HTTP_PORT": str(free_port()), "FEATURES_UI_PORT": str(free_port())}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(ports[variable])))
        taken.listen()
        with development(tmp_path, **ports) as process:
            process.wait()
    expected = f"port {ports[variable]} of the {what} is taken: stop what listens there, or set {variable} to another\n"
    assert (process.returncode, (tmp_path / OUTPUT).read_text()) == (2, expected)


def test_a_background_job_heeds_sigint_and_make_stop_ends_it_with_its_store(tmp_path: Path) -> None:
    """A shell starts background jobs with SIGINT ignored."""
    http, ui = free_port(), free_port()
    ignoring = ("env", "--ignore-signal=INT")
    for stop in ("signal", "make stop"):
        with development(tmp_path, ignoring, FEATURES_HTTP_PORT=str(http), FEATURES_UI_PORT=str(ui)) as process:
            while not answers(http):
                assert process.poll() is None, (tmp_path / OUTPUT).read_text()
                time.sleep(0.1)
            shown = [Path(f"/proc/{each}/cmdline").read_bytes() for each in processes_of(tmp_path)]
            assert [line for line in shown if b"redis://" in line] == []
            if stop == "signal":
                process.send_signal(signal.SIGINT)
            else:
                command = [sys.executable, "-m", "feature_assets.demo.stop"]
                environment = {**os.environ, "FEATURES_STATE": str(tmp_path)}
                subprocess.run(command, cwd=project_root(), env=environment, check=True)
            process.wait(60)
            assert process.returncode == 0, (tmp_path / OUTPUT).read_text()
            assert processes_of(tmp_path) == []
            assert store_runs(tmp_path) == (stop == "signal")


@pytest.mark.parametrize("starts_fully", [False, pytest.param(True, marks=pytest.mark.full)])
def test_ctrl_c_stops_everything_however_often_it_is_pressed(tmp_path: Path, starts_fully: bool) -> None:
    http, ui = free_port(), free_port()
    with development(tmp_path, FEATURES_HTTP_PORT=str(http), FEATURES_UI_PORT=str(ui)) as process:
        while not answers(ui if starts_fully else http):
            assert process.poll() is None, (tmp_path / OUTPUT).read_text()
            time.sleep(0.1)
        assert len(processes_of(tmp_path)) > 2
        for _ in range(3):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.3)
        process.wait(60)
        printed = (tmp_path / OUTPUT).read_text()
        assert process.returncode == 0, printed
        assert processes_of(tmp_path) == []
    assert "Traceback" not in printed
    assert "will not be used" not in printed
