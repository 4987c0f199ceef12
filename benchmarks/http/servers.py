"""Servers in processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serving.stores.redis.embedded import free_port

_START_SECONDS = 60.0


@dataclass(frozen=True)
class Server:
    """A server under measurement.

    Attributes:
        address: ``http://host:port``.
        process: of its parent process.
    """

    address: str
    process: int

    def cpu_seconds(self) -> float:
        """Return the processor time that the server and its workers have used (0 where there is no ``/proc``)."""
        return sum(map(_cpu_seconds, _family(self.process)))


@contextmanager
def our_server(plans: Path, url: str) -> Iterator[Server]:
    """Run the product's server with one worker."""
    port = free_port()
    command = ["-m", "serving.server", "--plans", str(plans), "--url", url, "--port", str(port)]
    with _running(command, port, {}) as server:
        yield server


@contextmanager
def minimal_server(which: str, environment: Mapping[str, str]) -> Iterator[Server]:
    """Run ``one``, ``many`` or ``empty`` of ``benchmarks.http.minimal``."""
    port = free_port()
    options = ["--interface", "rsgi", "--workers", "1", "--loop", "uvloop", "--port", str(port), "--no-ws"]
    with _running(["-m", "granian", *options, f"benchmarks.http.minimal:{which}"], port, environment) as server:
        yield server


@contextmanager
def _running(arguments: list[str], port: int, environment: Mapping[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, *arguments], env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    try:
        _wait_for(port, process)
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server on port {port} does not start: see its log above")


def body_of(address: str, path: str, body: bytes) -> bytes:
    """Return the answer to one POST."""
    request = urllib.request.Request(address + path, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.read()
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{address}{path}: {error.code} {error.read().decode()}") from error


def _family(process: int) -> list[int]:
    threads = Path(f"/proc/{process}/task").glob("*/children")
    children = [int(child) for thread in threads for child in thread.read_text().split()]
    return [process, *(member for child in children for member in _family(child))]


def _cpu_seconds(process: int) -> float:
    stat = Path(f"/proc/{process}/stat")
    if not stat.exists():
        return 0.0
    # The name of the program, in brackets, may hold spaces.
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
