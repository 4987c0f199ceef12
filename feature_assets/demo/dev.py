"""``make dev``: the Dagster UI, its daemon, the online store, the feature server and live purchases, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from feature_assets.demo.running import recorded
from feature_assets.project import load_declarations
from feature_assets.project.recorded import apply_declarations
from feature_assets.raw.clock import keep_clock
from feature_store.errors import FeatureStoreError
from resources.dagster_home import use_project_home
from resources.online import running_url, without_password
from resources.settings import Settings, project_root

STOP_SECONDS = 5.0
"""The time in which processes may stop by themselves: whatever is cut off then, the next start does again."""


def main() -> int:
    """Run everything until Ctrl-C (0) or until one part stops (1); 2 if it cannot start."""
    # A shell starts background jobs with Ctrl-C ignored; whoever sends it to this one means it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        settings = Settings.from_environment()
        with recorded(settings.state):
            return _run(settings)
    except KeyboardInterrupt:
        return 0
    except (FeatureStoreError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def server_command(settings: Settings, port: int | None = None) -> list[str]:
    """Return the command line of the feature server; the store's URL, which may hold a password, is not on it."""
    place = ["--plans", str(settings.plans_folder), "--port", str(port or settings.http_port)]
    place += ["--branch", settings.branch] if settings.branch else []
    return [sys.executable, "-m", "serving.server", *place]


def with_store(url: str) -> dict[str, str]:
    """Return the environment of a process that uses the online store of a URL: others do not see it there."""
    return {**os.environ, "FEATURES_ONLINE_URL": url}


def _run(settings: Settings) -> int:
    ports = {
        "Dagster UI": ("FEATURES_UI_PORT", settings.ui_port),
        "feature server": ("FEATURES_HTTP_PORT", settings.http_port),
    }
    for what, (variable, port) in ports.items():
        if _is_taken(port):
            wanted = f"stop what listens there, or set {variable} to another"
            print(f"port {port} of the {what} is taken: {wanted}", file=sys.stderr)
            return 2
    use_project_home(settings)
    keep_clock()
    apply_declarations(settings, load_declarations())
    url = running_url(settings)
    commands = {
        "Dagster": _dagster_command(settings),
        "feature server": server_command(settings),
        "live purchases": [sys.executable, "-m", "feature_assets.demo.live_stream"],
    }
    with _running(commands, with_store(url)) as running:
        print(f"Dagster UI      http://127.0.0.1:{settings.ui_port}")
        print(f"feature server  http://127.0.0.1:{settings.http_port}/v1/services")
        print(f"online store    {without_password(url)}", flush=True)
        while all(process.poll() is None for process in running.values()):
            time.sleep(0.5)
        stopped = next(name for name, process in running.items() if process.poll() is not None)
        print(f"the {stopped} stopped, so everything stops", file=sys.stderr)
        return 1


def _dagster_command(settings: Settings) -> list[str]:
    program = str(Path(sys.executable).with_name("dg"))
    return [program, "dev", "-w", "workspace.yaml", "--host", "127.0.0.1", "--port", str(settings.ui_port)]


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections still fade away is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


@contextmanager
def _running(
    commands: Mapping[str, Sequence[str]], environment: Mapping[str, str]
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Start programs, each in a session of its own; in the end stop them with everything that they started."""
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            processes[name] = subprocess.Popen(command, cwd=project_root(), env=environment, start_new_session=True)
        yield processes
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # being asked once is enough
            signal.signal(number, signal.SIG_IGN)
        _stop(list(processes.values()))


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


if __name__ == "__main__":
    sys.exit(main())
