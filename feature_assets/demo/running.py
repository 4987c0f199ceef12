"""The ``make dev`` of a state folder: it holds a lock on a file with its process id for as long as it lives."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from feature_store.errors import InputError

STOP_SECONDS: Final = 30.0

_FILE: Final = "dev.pid"


@contextmanager
def recorded(state: Path) -> Iterator[None]:
    """Record this process as the one that runs on a state folder.

    Raises:
        InputError: another one does.
    """
    state.mkdir(parents=True, exist_ok=True)
    with (state / _FILE).open("a+") as file:
        if not _lock(file.fileno()):
            raise InputError(f"`make dev` runs already on {state}: `make stop` stops it")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def stop_running(state: Path) -> bool:
    """Stop the ``make dev`` that runs on a state folder, as Ctrl-C does; return whether one ran.

    Raises:
        InputError: it does not stop.
    """
    if not (state / _FILE).exists():
        return False
    with (state / _FILE).open("r+") as file:
        if _lock(file.fileno()):
            return False
        process = int(file.read())
        os.kill(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while not _lock(file.fileno()):
            if time.monotonic() > deadline:
                raise InputError(f"`make dev`, process {process}, does not stop: kill it")
            time.sleep(0.1)
    return True


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
