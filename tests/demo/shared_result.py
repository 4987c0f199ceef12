"""Results that take minutes and that several tests need: made by whichever test worker comes first."""

from __future__ import annotations

import fcntl
import pickle
from collections.abc import Callable
from typing import TypeVar

import pytest

Result = TypeVar("Result")


def made_by_one_worker(factory: pytest.TempPathFactory, name: str, make: Callable[[], Result]) -> Result:
    """Return what ``make`` gives; of the workers of a test session one calls it, and the others wait for it.

    Args:
        factory: of the test.
        name: tells results apart.
        make: its result can be pickled.
    """
    base = factory.getbasetemp()
    # Each worker has a folder of its own in that of the session.
    shared = base.parent if base.name.startswith("popen-") else base
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = shared / f"{name}.pickle"
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make()))
        return pickle.loads(kept.read_bytes())
