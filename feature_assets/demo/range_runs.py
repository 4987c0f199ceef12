"""Range runs of assets in a few long-lived processes: what a backfill does, without a daemon."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import signal
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache

import dagster as dg

from feature_assets.demo.progress import Stage

PROCESSES = 2

DEMO_TAG = "feature_store/demo"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

_ALIVE = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


@dataclass(frozen=True)
class RangeRun:
    """One run of some assets over a range of partitions.

    Attributes:
        label: what people see in the progress bar.
        location: module of the code location, e.g. ``feature_assets.raw.definitions``.
        assets: keys, ``/``-separated.
        first, last: partition keys, both included; None for assets without partitions.
        partitions: how many partitions that is, at least 1.
    """

    label: str
    location: str
    assets: tuple[str, ...]
    first: str | None
    last: str | None
    partitions: int


class RunPool:
    """A few processes that execute runs; they start with the first run and live until the pool is closed."""

    def __init__(self) -> None:
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
            # What is cut off is done again by the next demo; nobody waits for it now.
            for process in multiprocessing.active_children():
                process.kill()
        self._pool.shutdown(cancel_futures=True)

    def run_all(self, runs: Iterable[RangeRun | None], stage: Stage) -> None:
        """Execute independent runs, the longest first; the first failure is raised.

        Args:
            runs: none may depend on another; None stands for one that has nothing to do.
            stage: told what to expect, and of each run when it is done.
        """
        planned = [run for run in runs if run is not None]
        stage.expect(sum(run.partitions for run in planned))
        longest_first = sorted(planned, key=lambda run: -run.partitions * len(run.assets))
        futures = {self._pool.submit(execute, run): run for run in longest_first}
        for future in as_completed(futures):
            future.result()
            stage.step(futures[future].label, futures[future].partitions)


def execute(run: RangeRun) -> None:
    """Execute one run in this process against the project's Dagster instance."""
    logging.getLogger("dagster").setLevel(logging.ERROR)
    definitions: dg.Definitions = importlib.import_module(run.location).defs
    tags = {DEMO_TAG: "true"}
    if run.first is not None and run.last is not None:
        tags |= {RANGE_START: run.first, RANGE_END: run.last}
    job_of(definitions, [dg.AssetKey(asset.split("/")) for asset in run.assets]).execute_in_process(
        instance=_instance(),
        tags=tags,
        run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
    )


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


def close_interrupted_runs() -> int:
    """Mark runs of an earlier demo that was killed as cancelled and give back their pools; return how many there were.

    A run that was killed keeps its place in a pool, and the next run of the asset would wait for it for ever.
    """
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs(dg.RunsFilter(tags={DEMO_TAG: "true"}, statuses=_ALIVE))
        for run in runs:
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            instance.report_run_canceled(run, "the process of this run was killed")
        return len(runs)
