"""Range runs of assets in a few long-lived processes: what a backfill does, without a daemon."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache

import dagster as dg

from feature_assets.backfill.interrupted import PROCESS_TAG, AliveMark
from feature_assets.backfill.progress import Stage
from feature_assets.project.broken import own_line
from feature_assets.project.locations import CodeLocation
from feature_store.errors import FeatureStoreError
from resources.project_file import project_file

PROCESSES = 2

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class RangeRun:
    """Runs of some assets over ranges of partitions, one after the other.

    Attributes:
        label: what people see in the progress bar.
        location: the code location that makes them.
        assets: keys, ``/``-separated.
        ranges: first and last partition key of each run; empty: one run of assets without partitions.
        partitions: how many partitions that is, at least 1.
    """

    label: str
    location: CodeLocation
    assets: tuple[str, ...]
    ranges: tuple[tuple[str, str], ...]
    partitions: int


@dataclass(frozen=True)
class FailedRun:
    """A run that failed, or could not be planned; others went on.

    Attributes:
        label: of the run.
        error: what it raised.
    """

    label: str
    error: BaseException

    def __str__(self) -> str:
        """One line, which names the line of the project's own files that raised it."""
        text = " ".join(str(self.error).split())
        kind = "" if isinstance(self.error, FeatureStoreError | dg.Failure) else f"{type(self.error).__name__}: "
        places = ", ".join(getattr(self.error, "__notes__", []))
        return f"{self.label}: {kind}{text}" + (f" ({places})" if places else "")


class RunPool:
    """A few processes that execute runs; they start with the first run and live until the pool is closed.

    Attributes:
        warnings: what the runs warned of in the metadata of their assets (``warnings``).
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._alive = AliveMark()
        context = multiprocessing.get_context("spawn")
        # Ctrl-C reaches every process of the terminal: only the first one may answer it. A blocked signal stays
        # blocked in what Dagster starts there, whatever handlers it sets.
        self._pool = ProcessPoolExecutor(
            PROCESSES, context, signal.pthread_sigmask, (signal.SIG_BLOCK, [signal.SIGINT])
        )

    def __enter__(self) -> RunPool:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if failure is not None:
            # What is cut off is done again by the next backfill; nobody waits for it now.
            for process in multiprocessing.active_children():
                process.kill()
        self._pool.shutdown(cancel_futures=True)
        self._alive.close()

    def run_all(self, runs: Iterable[RangeRun | None], stage: Stage) -> dict[RangeRun, FailedRun]:
        """Execute independent runs, the longest first; return those that failed, after all of them ended.

        Args:
            runs: none may depend on another; None stands for one that has nothing to do.
            stage: told what to expect, and of each run when it is done.
        """
        planned = [run for run in runs if run is not None]
        stage.expect(sum(run.partitions for run in planned))
        longest_first = sorted(planned, key=lambda run: -run.partitions * len(run.assets))
        futures = {self._pool.submit(execute, run, self._alive.name): run for run in longest_first}
        failed: dict[RangeRun, FailedRun] = {}
        for future in as_completed(futures):
            run, error = futures[future], future.exception()
            if error is not None:
                failed[run] = FailedRun(run.label, error)
            else:
                self.warnings += future.result()
            stage.step(run.label, run.partitions)
        return failed


def execute(run: RangeRun, alive: str) -> list[str]:
    """Execute the runs in this process against the project's Dagster instance; return what they warned of.

    Dagster keeps the stack of a run that fails; here it is the caller who says what failed.

    Args:
        run: the runs.
        alive: name of the mark of who asked for it; see ``AliveMark``.
    """
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    job = job_of(run.location.load(), [dg.AssetKey(asset.split("/")) for asset in run.assets])
    warned: list[str] = []
    for tags in [{RANGE_START: first, RANGE_END: last} for first, last in run.ranges] or [dict[str, str]()]:
        try:
            done = job.execute_in_process(
                instance=_instance(),
                tags={PROCESS_TAG: alive, **tags},
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        except Exception as error:
            place = own_line(error, project_file().root)
            if place is not None:
                error.add_note(place)
            raise
        warned += [warning for event in done.get_asset_materialization_events() for warning in _warnings(event)]
    return list(dict.fromkeys(warned))  # each partition of a run carries them all


def _warnings(event: dg.DagsterEvent) -> list[str]:
    found = event.materialization.metadata.get("warnings")
    return [str(each) for each in found.value or ()] if isinstance(found, dg.JsonMetadataValue) else []


def job_of(definitions: dg.Definitions, assets: Iterable[dg.AssetKey]) -> dg.JobDefinition:
    """Return the job that materializes assets, with the checks that run with them: those that nothing else asks for."""
    keys, graph = frozenset(assets), definitions.resolve_asset_graph()
    checks = graph.get_check_keys_for_assets(keys)
    own = frozenset(check for check in checks if graph.get(check).automation_condition is None)
    job = definitions.resolve_implicit_global_asset_job_def()
    return job.get_subset(asset_selection=keys, asset_check_selection=own)


@cache
def _instance() -> dg.DagsterInstance:
    """Open the instance once per process: it checks the schema of its databases for half a second each time."""
    return dg.DagsterInstance.get()
