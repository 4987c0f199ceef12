"""``make dev``: the Dagster UI, its daemon, the online store and the feature server, together until Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from feature_assets.cli.plan_folder import apply_plans
from feature_assets.declarations import load_declarations
from feature_assets.raw.clock import keep_clock
from resources.dagster_home import use_project_home
from resources.project import project_resources
from resources.settings import Settings, project_root

STOP_SECONDS = 20


def main() -> int:
    """Start everything, print where it is, and stop all of it when one part stops or the user presses Ctrl-C."""
    settings = Settings.from_environment()
    use_project_home(settings)
    keep_clock()
    apply_plans(load_declarations(), settings.plans, allow_redefined=False)
    url = project_resources(settings=settings)["online_store"].running_url()
    ui_port = urlsplit(settings.ui_url).port or 3000
    programs = Path(sys.executable).parent
    commands = {
        "Dagster": [str(programs / "dg"), "dev", "-w", "workspace.yaml", "--host", "127.0.0.1", "--port", str(ui_port)],
        "feature server": server_command(settings, url),
    }
    signal.signal(signal.SIGTERM, _interrupt)
    processes = {
        name: subprocess.Popen(command, cwd=project_root(), start_new_session=True)
        for name, command in commands.items()
    }
    print(f"Dagster UI      http://127.0.0.1:{ui_port}")
    print(f"feature server  http://127.0.0.1:{settings.http_port}/v1/services")
    print(f"online store    {url}", flush=True)
    try:
        while all(process.poll() is None for process in processes.values()):
            time.sleep(0.5)
        stopped = next(name for name, process in processes.items() if process.poll() is not None)
        print(f"the {stopped} stopped, so everything stops", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(list(processes.values()))


def server_command(settings: Settings, url: str, port: int | None = None) -> list[str]:
    """Return the command line of the feature server."""
    place = ["--plans", str(settings.plans), "--url", url, "--port", str(port or settings.http_port)]
    return [sys.executable, "-m", "serving.server", *place]


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """End each process with everything it started."""
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


if __name__ == "__main__":
    sys.exit(main())
