"""The demo as a user starts it: a process of its own, with a state folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from resources.settings import project_root
from serving.stores.redis.embedded import ensure_embedded, stop_embedded

DAYS = 3


HEEDING_CTRL_C = ("env", "--default-signal=INT")
"""Begins commands that heed Ctrl-C, as in a terminal: jobs in the background of a script inherit that they do not."""


@dataclass(frozen=True)
class Printed:
    """What a finished demo printed."""

    text: str

    @property
    def summary(self) -> dict[str, Any]:
        """The JSON object of the last line."""
        return json.loads(self.text.rstrip("\n").rpartition("\n")[2])


class Demo:
    """Runs of the demo on one state folder.

    Args:
        folder: gets the state and the output; must not exist.
        data: replaces the files of the data package; None: all the real data.
        online_url: None: the embedded Valkey.
        command: what Python runs.
        root: folder of the project.
        environment: more settings of every run.
    """

    def __init__(
        self,
        folder: Path,
        data: Path | None,
        online_url: str | None = None,
        command: Sequence[str] = ("-m", "feature_assets.demo"),
        root: Path | None = None,
        **environment: str,
    ) -> None:
        folder.mkdir(parents=True)
        self.state = folder / "state"
        self._root = root or project_root()
        self._output = folder / "output.txt"
        self._online_url = online_url
        self._command = [*HEEDING_CTRL_C, sys.executable, *command]
        given = {name: value for name, value in os.environ.items() if not name.startswith(("FEATURES_", "DAGSTER_"))}
        settings = {"FEATURES_STATE": str(self.state), "FEATURES_ONLINE_URL": online_url or "", "DAYS": str(DAYS)}
        self._environment = {**given, **settings, "FEATURES_DATA_FOLDER": str(data or ""), **environment}

    @property
    def offline_root(self) -> str:
        return str(self.state / "offline")

    @property
    def plans(self) -> Path:
        return self.state / "plans"

    @property
    def online_url(self) -> str:
        """The URL of the online store, which is started if it is the embedded one."""
        return self._online_url or ensure_embedded(self.state / "online")

    def run(self, now: datetime | None = None, ends_with: int = 0) -> Printed:
        """Run the demo to its end.

        Args:
            now: ``FEATURES_NOW``; None: the real clock.
            ends_with: the exit status that it must have.
        """
        with self.started(now) as process:
            status = process.wait()
        assert status == ends_with, self.output()
        return Printed(self._output.read_text())

    def output(self) -> str:
        """The end of what the last run printed so far."""
        return self._output.read_text()[-6000:]

    @contextmanager
    def started(self, now: datetime | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Start the demo in a process group of its own, of which nothing is left in the end.

        Args:
            now: ``FEATURES_NOW``; None: the real clock.
        """
        environment = {**self._environment, "FEATURES_NOW": "" if now is None else now.isoformat()}
        with self._output.open("w") as output:
            process = subprocess.Popen(
                self._command,
                cwd=self._root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            kill_group(process)

    def kill_when(self, reached: Callable[[], bool], now: datetime | None = None) -> None:
        """Start the demo and kill all of its processes as soon as something is observed."""
        with self.started(now) as process:
            while not reached():
                assert process.poll() is None, f"it ended before it was killed: {self.output()}"
                time.sleep(0.002)

    def stop_online(self) -> None:
        """Stop the embedded Valkey."""
        stop_embedded(self.state / "online")


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all it started, unless they ended before."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()
