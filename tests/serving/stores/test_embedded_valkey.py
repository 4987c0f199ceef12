"""The embedded server: one per folder, found again, data kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from serving.stores.errors import StoreUnavailableError
from serving.stores.open_store import open_reader
from serving.stores.redis.embedded import ensure_embedded, stop_embedded
from tests.stores.sample import DAY, baskets, load, now, snapshot

ENSURE = (
    "import sys, pathlib; from serving.stores.redis.embedded import ensure_embedded;"
    "print(ensure_embedded(pathlib.Path(sys.argv[1])))"
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "state of things" / "online"
    yield place
    stop_embedded(place)


def process_id(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def test_data_url_and_process_survive_as_they_should(folder: Path) -> None:
    url = ensure_embedded(folder)
    assert url.startswith("redis://127.0.0.1:")
    first = process_id(url)
    load(url, range(5000), snapshot(now() - DAY), factor=3)
    assert ensure_embedded(folder) == url
    assert process_id(url) == first
    stop_embedded(folder)
    with pytest.raises(redis.ConnectionError):
        process_id(url)
    stop_embedded(folder)
    assert ensure_embedded(folder) == url
    assert process_id(url) != first
    assert baskets(open_reader(url), [7, 5000]) == [21, None]


def test_a_killed_server_is_started_again_with_its_data(folder: Path) -> None:
    url = ensure_embedded(folder)
    load(url, [1], snapshot(now() - DAY), factor=3)
    with redis.Redis.from_url(url) as client:
        client.waitaof(1, 0, 10_000)
    os.kill(process_id(url), signal.SIGKILL)
    deadline = time.monotonic() + 20
    while _answers(url) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (folder / "valkey.pid").exists(), "the record is stale now"
    assert baskets(open_reader(ensure_embedded(folder)), [1]) == [3]


def _answers(url: str) -> bool:
    with redis.Redis.from_url(url) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def test_another_server_on_the_recorded_port_is_left_alone(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    stranger = ensure_embedded(other)
    try:
        folder.mkdir(parents=True)
        (folder / "valkey.conf").write_text(f"port {stranger.rsplit(':', 1)[1].split('/')[0]}\n")
        url = ensure_embedded(folder)
        assert url != stranger
        assert process_id(url) != process_id(stranger)
        stop_embedded(folder)
        assert _answers(stranger)
    finally:
        stop_embedded(other)


def test_callers_at_once_share_one_server_that_outlives_them(folder: Path) -> None:
    command = [sys.executable, "-c", ENSURE, str(folder)]
    callers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    urls = {caller.communicate(timeout=120)[0].strip() for caller in callers}
    assert [caller.returncode for caller in callers] == [0, 0, 0]
    assert urls == {ensure_embedded(folder)}


KILLED = """
import os, pathlib, random, signal, sys, threading, time
from serving.stores.redis import embedded

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "at once":
    embedded._came_up = die  # right after the server's process was started
else:
    threading.Thread(target=lambda: die(time.sleep(float(sys.argv[2]))), daemon=True).start()
embedded.ensure_embedded(pathlib.Path(sys.argv[1]))
"""


def servers(folder: Path) -> list[int]:
    """The Valkey processes that work in a folder."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == folder.resolve() and b"valkey" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


@pytest.mark.parametrize("killed", ["at once", "0", "0.005", "0.01", "0.02", "0.03", "0.05"])
def test_a_caller_killed_while_it_starts_the_server_leaves_no_second_one(folder: Path, killed: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder), killed], check=False, timeout=60)
    assert done.returncode in (0, -signal.SIGKILL)
    url = ensure_embedded(folder)
    time.sleep(0.5)
    assert servers(folder) == [process_id(url)]
    assert ensure_embedded(folder) == url
    stop_embedded(folder)
    assert servers(folder) == []


@pytest.mark.parametrize("content", [b"", b"port none\n", b"\xff\xfe"])
@pytest.mark.parametrize("running", [True, False])
def test_records_that_cannot_be_read_are_as_none(folder: Path, content: bytes, running: bool) -> None:
    url = ensure_embedded(folder)
    load(url, [1], snapshot(now() - DAY), factor=3)
    if not running:
        stop_embedded(folder)
    for name in ("valkey.conf", "valkey.pid") if not running else ("valkey.conf",):
        (folder / name).write_bytes(content)
    url = ensure_embedded(folder)
    assert servers(folder) == [process_id(url)]
    assert baskets(open_reader(url), [1]) == [3]


@pytest.mark.parametrize("refused", ["its data", "its configuration"])
def test_a_start_that_fails_keeps_the_port_for_the_next_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    url = ensure_embedded(folder)
    load(url, [1], snapshot(now() - DAY), factor=3)
    stop_embedded(folder)
    (manifest,) = folder.glob("appendonlydir/*.manifest")
    kept = manifest.read_bytes()
    with monkeypatch.context() as broken:
        if refused == "its data":
            manifest.write_bytes(b"no manifest\n")
        else:
            broken.setattr("serving.stores.redis.embedded.get_binary_path", lambda: Path("/bin/false"))
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="does not start; its log ends"):
                ensure_embedded(folder)
        assert servers(folder) == []
    manifest.write_bytes(kept)
    assert ensure_embedded(folder) == url
    assert baskets(open_reader(url), [1]) == [3]


def test_a_first_start_that_fails_keeps_its_port_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("serving.stores.redis.embedded.get_binary_path", lambda: Path("/bin/false"))
        with pytest.raises(StoreUnavailableError):
            ensure_embedded(folder)
    port = (folder / "valkey.conf").read_text().split("port ")[1].split()[0]
    assert ensure_embedded(folder) == f"redis://127.0.0.1:{port}/0"


def test_it_listens_on_loopback_only(folder: Path) -> None:
    with redis.Redis.from_url(ensure_embedded(folder)) as client:
        assert client.config_get("bind") == {b"bind": b"127.0.0.1"} or client.config_get("bind") == {
            "bind": "127.0.0.1"
        }


def test_stopping_what_never_ran_does_nothing(tmp_path: Path) -> None:
    stop_embedded(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
