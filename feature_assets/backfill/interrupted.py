"""Runs whose process was killed: Dagster takes them for running, and the next run of the asset would wait for ever.

Who backfills holds a lock on a file of its own in the folder of the instance for as long as it lives, and its runs
name that file.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path
from typing import Final

import dagster as dg

PROCESS_TAG: Final = "feature_store/backfill"

_ALIVE: Final = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


class AliveMark:
    """The lock of this process, until it is closed or the process dies."""

    def __init__(self) -> None:
        self.name = uuid.uuid4().hex
        self._path = _folder() / self.name
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def close(self) -> None:
        """Say that this process asks for no more runs."""
        self._path.unlink(missing_ok=True)
        self._file.close()


def close_interrupted_runs() -> int:
    """Mark runs of backfills that were killed as cancelled and give back their pools; return how many there were."""
    with dg.DagsterInstance.get() as instance:
        alive = instance.get_runs(dg.RunsFilter(statuses=_ALIVE))
        killed = [run for run in alive if PROCESS_TAG in run.tags and not _lives(run.tags[PROCESS_TAG])]
        for run in killed:
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            instance.report_run_canceled(run, "the process of this run was killed")
        return len(killed)


def _lives(name: str) -> bool:
    path = _folder() / name
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    path.unlink(missing_ok=True)
    return False


def _folder() -> Path:
    return Path(os.environ["DAGSTER_HOME"]) / "backfills"
