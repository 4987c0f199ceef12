"""Range runs of assets in a few long-lived processes: what a backfill does, without a daemon."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import dagster as dg

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
        partitions: how many partitions that is.
    """

    label: str
    location: str
    assets: tuple[str, ...]
    first: str | None
    last: str | None
    partitions: int


def run_all(runs: Sequence[RangeRun], processes: int, done: Callable[[RangeRun], None]) -> None:
    """Execute independent runs, the longest first, in ``processes`` processes; the first failure is raised.

    Args:
        runs: none may depend on another.
        processes: how many at once.
        done: called after each run.
    """
    if not runs:
        return
    context = multiprocessing.get_context("spawn")
    longest_first = sorted(runs, key=lambda run: -run.partitions * len(run.assets))
    with ProcessPoolExecutor(min(processes, len(runs)), mp_context=context) as pool:
        futures = {pool.submit(execute, run): run for run in longest_first}
        for future in as_completed(futures):
            future.result()
            done(futures[future])


def execute(run: RangeRun) -> None:
    """Execute one run in this process against the project's Dagster instance."""
    logging.getLogger("dagster").setLevel(logging.ERROR)
    definitions: dg.Definitions = importlib.import_module(run.location).defs
    tags = {DEMO_TAG: "true"}
    if run.first is not None and run.last is not None:
        tags |= {RANGE_START: run.first, RANGE_END: run.last}
    with dg.DagsterInstance.get() as instance:
        definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(asset.split("/")) for asset in run.assets],
            tags=tags,
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )


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
