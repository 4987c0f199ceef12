"""Training sets that are joined shard by shard: rows and values move by entity, and are put together day by day.

What the oracle says of them is compared as of those that are joined at once; and both are stored, and have the same
rows and the same content hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

import polars as pl
from polars.testing import assert_frame_equal

from feature_store.engines.engine import Engine
from feature_store.engines.spark.engine import SparkEngine
from feature_store.offline.delta.paths import training_uri
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.stored_frames import OfflineFrames
from feature_store.offline.training import compute_training_set as computing
from feature_store.offline.training.compute_training_set import compute_training_set
from feature_store.offline.training.shards.spine_files import parquet_spine
from feature_store.offline.training.training_sets import load_training_set
from feature_store.plans.service_plan import ServicePlan
from tests.engines.tasks_in_process import TasksInProcess
from tests.spec.paths import point_in_time, requests, stream_offline
from tests.spec.ranges import BOUGHT, LIVE
from tests.spec.worlds import Range, World

STATED = ["partition_start", "rows", "excluded", "fingerprints", "content_hash", "column_sums"]


def check(span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail where a row of a training set that was joined in shards is not what the oracle says."""
    engine = SparkEngine(TasksInProcess(), OfflineFrames(), rng.choice([1, 2, 8]))
    check_engine(engine, span, worlds, rng)


def check_engine(engine: Engine, span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail likewise of an engine with a cluster."""
    build = stream_offline.build if span is LIVE else requests.build if span is BOUGHT else point_in_time.build
    build(span, worlds, rng, by=partial(joined_by, engine, rng)).compare()


def joined_by(
    engine: Engine,
    rng: Random,
    store: OfflineStore,
    plan: ServicePlan,
    spine: pl.DataFrame,
    time_column: str,
    **options: Any,
) -> pl.DataFrame:
    """Return what an engine stores of a training set, in the order of the spine, as ``point_in_time_join`` would.

    The spine is cut into files; the rows of a day may be put together in several parts.
    """
    how = {"run_id": "spec", "time_column": time_column, **options}
    compute_training_set(store, "at-once", plan, spine, **how)
    with patch.object(computing, "GROUP_ROWS", rng.choice([1, 7, 1_000_000])):
        compute_training_set(store, "in-shards", plan, parquet_spine(_files(store, spine, rng)), engine=engine, **how)
    one, other = (_stated(store, name) for name in ("at-once", "in-shards"))
    assert_frame_equal(other, one)
    rows = load_training_set(store, "in-shards").collect().sort("label")
    assert_frame_equal(rows, load_training_set(store, "at-once").collect().sort("label"), check_exact=True)
    return rows.with_columns(pl.col(name).cast(dtype) for name, dtype in spine.schema.items())


def _files(store: OfflineStore, spine: pl.DataFrame, rng: Random) -> list[str]:
    cuts = sorted(rng.choice(range(spine.height + 1)) for _ in range(rng.choice([0, 1, 3])))
    files: list[str] = []
    for first, last in zip([0, *cuts], [*cuts, spine.height], strict=True):
        files.append(f"{store.root}/spine-{len(files)}.parquet")
        spine[first:last].write_parquet(files[-1])
    return files


def _stated(store: OfflineStore, name: str) -> pl.DataFrame:
    return PartitionedTable(training_uri(store.root, name), {}).ledger.partitions().select(STATED)
