"""Training sets that a cluster computes: of any spine, the rows, facts and mistakes of those built at once."""

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_store.engines.engine import Engine
from feature_store.engines.spark.engine import SparkEngine
from feature_store.errors import FeatureStoreError, InputError, NotComputedError
from feature_store.offline.delta.paths import training_uri
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.stored_frames import OfflineFrames
from feature_store.offline.training import compute_training_set as computing
from feature_store.offline.training.compute_training_set import compute_training_set
from feature_store.offline.training.shards.spine_files import delta_spine, parquet_spine
from feature_store.offline.training.training_sets import load_manifest, load_training_set, stale_days
from tests.engines.tasks_in_process import Partitions, TasksInProcess
from tests.offline.definitions import INSTANT, day, fill, service

STATED = ["partition_start", "rows", "fingerprints", "content_hash", "column_sums"]


@pytest.fixture(params=["tasks alone", pytest.param("spark", marks=pytest.mark.engines("spark_session"))])
def engine(request: pytest.FixtureRequest) -> Engine:
    session = TasksInProcess() if request.param == "tasks alone" else request.getfixturevalue("spark_session")
    return SparkEngine(session, OfflineFrames(), parts=3)


@pytest.fixture
def store(tmp_path: Path) -> OfflineStore:
    return fill(OfflineStore(str(tmp_path / "offline")), range(9))


def spine_of(rows: int = 60) -> pl.DataFrame:
    """Rows of shoppers that are known, unknown and nobody, on days 2, 3 and 5, some of them twice."""
    shoppers = pl.Series("shopper_id", [None if n % 13 == 0 else n % 11 for n in range(rows)], pl.Int64)
    times = [day((2, 3, 5)[n % 3]) + timedelta(hours=n % 24, microseconds=n % 2) for n in range(rows)]
    frame = pl.DataFrame([shoppers, pl.Series("time", times, INSTANT)])
    return frame.with_columns(label=pl.int_range(pl.len()), weight=pl.lit([0.5, None], pl.Array(pl.Float64, 2)))


def assert_same(store: OfflineStore, one: str, other: str) -> None:
    stated = [
        PartitionedTable(training_uri(store.root, name), {}).ledger.partitions().select(STATED) for name in (one, other)
    ]
    assert_frame_equal(*stated)
    rows = [load_training_set(store, name).collect().sort("label") for name in (one, other)]
    assert_frame_equal(*rows, check_exact=True)
    first, second = (load_manifest(store, name) for name in (one, other))
    assert replace(first, created_at=second.created_at) == second


def files_of(store: OfflineStore, name: str) -> list[str]:
    root = Path(training_uri(store.root, name))
    return [str(path) for folder in (root, Path(f"{root}.stages")) for path in folder.rglob("*") if path.is_file()]


def in_files(folder: Path, spine: pl.DataFrame) -> str:
    folder.mkdir()
    for number, at in enumerate(range(0, spine.height, 7)):
        spine[at : at + 7].write_parquet(folder / f"{number:03}.parquet")
    return str(folder)


@pytest.mark.parametrize("kind", ["parquet", "delta", "rows"])
def test_every_kind_of_spine_gives_what_is_built_at_once(
    store: OfflineStore, engine: Engine, tmp_path: Path, kind: str
) -> None:
    spine = spine_of()
    if kind == "delta":
        spine = spine.drop("weight").with_columns(region=pl.lit("north"))
        spine.write_delta(str(tmp_path / "spine"), delta_write_options={"partition_by": ["region"]})
        given = delta_spine(str(tmp_path / "spine"))
        spine = given.read_all()
    else:
        given = parquet_spine(in_files(tmp_path / "spine", spine)) if kind == "parquet" else spine
    how = {"run_id": "r", "with_status": True, "allow_missing": True}
    at_once = compute_training_set(store, "at-once", service, spine, day(1), day(7), **how)
    with patch.object(computing, "GROUP_ROWS", 11):
        stored = compute_training_set(store, "sharded", service, given, day(1), day(7), engine=engine, **how)
    assert_same(store, "at-once", "sharded")
    assert stored.rows == at_once.rows == {day(2): 20, day(3): 20, day(5): 20}
    assert stored.warnings == at_once.warnings
    # The notes of stages and what a spine was written to are gone, and every file is one that readers see.
    assert not list(Path(f"{training_uri(store.root, 'sharded')}.stages").glob("*"))
    assert stale_days(store, stored.manifest.plan, day(2), day(4)) == [day(2), day(3)]


def test_rows_of_a_day_keep_the_order_of_the_spine(store: OfflineStore, engine: Engine, tmp_path: Path) -> None:
    given = parquet_spine(in_files(tmp_path / "spine", spine_of()))
    compute_training_set(store, "set", service, given, run_id="r", engine=engine, allow_missing=True)
    labels = load_training_set(store, "set", day(3), day(4)).collect()["label"].to_list()
    assert labels == sorted(labels)
    assert len(labels) == 20


def test_a_frame_of_the_cluster_is_written_once_and_then_read(store: OfflineStore) -> None:
    engine = SparkEngine(TasksInProcess(), OfflineFrames(), parts=2)
    spine = spine_of()
    frame = Partitions([spine[at : at + 25].to_arrow().to_batches(max_chunksize=9) for at in range(0, 60, 25)])
    compute_training_set(store, "set", service, frame, run_id="r", engine=engine, allow_missing=True)
    compute_training_set(store, "at-once", service, spine, run_id="r", allow_missing=True)
    assert_same(store, "at-once", "set")
    with pytest.raises(InputError, match="engine spark"):
        compute_training_set(store, "set", service, frame, run_id="r")


def test_a_frame_of_spark_is_a_spine(store: OfflineStore, spark_session) -> None:
    spine = spine_of().drop("weight")
    frame = spark_session.createDataFrame(spine.to_arrow()).repartition(3, "label")
    engine = SparkEngine(spark_session, OfflineFrames(), parts=2)
    compute_training_set(store, "set", service, frame, run_id="r", engine=engine, allow_missing=True)
    compute_training_set(store, "at-once", service, spine, run_id="r", allow_missing=True)
    rows = [load_training_set(store, name).collect().sort("label") for name in ("at-once", "set")]
    assert_frame_equal(*rows, check_exact=True)


MISTAKES = {
    "no partition holds a feature": lambda rows: rows.with_columns(pl.col("time").dt.offset_by("-2d")),
    "no time": lambda rows: rows.with_columns(time=pl.when(pl.col("label") % 9 != 4).then("time")),
    "no zone": lambda rows: rows.with_columns(pl.col("time").dt.replace_time_zone(None)),
    "no key": lambda rows: rows.drop("shopper_id"),
    "keys of another type": lambda rows: rows.with_columns(pl.col("shopper_id").cast(pl.String)),
    "floats that are no keys": lambda rows: rows.with_columns(pl.col("shopper_id") + pl.col("label").eq(50) / 2),
    "a column that is added": lambda rows: rows.rename({"label": "shopper_spend__pieces_3d"}),
    "a column of the store": lambda rows: rows.rename({"label": "day"}),
    "a column that is not stored": lambda rows: rows.with_columns(label=pl.duration(seconds="label")),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told_as_when_built_at_once_and_leave_nothing(
    store: OfflineStore, tmp_path: Path, mistake: str
) -> None:
    engine = SparkEngine(TasksInProcess(), OfflineFrames(), parts=3)
    spine = MISTAKES[mistake](spine_of().drop("weight"))
    with pytest.raises(FeatureStoreError) as at_once:
        compute_training_set(store, "set", service, spine, run_id="r")
    given = parquet_spine(in_files(tmp_path / "spine", spine))
    with pytest.raises(FeatureStoreError) as sharded:
        compute_training_set(store, "set", service, given, run_id="r", engine=engine)
    assert (type(sharded.value), str(sharded.value)) == (type(at_once.value), str(at_once.value))
    assert files_of(store, "set") == []


def test_floats_beside_missing_ones_are_keys_though_most_files_have_no_missing_one(
    store: OfflineStore, engine: Engine, tmp_path: Path
) -> None:
    spine = spine_of().drop("weight").with_columns(pl.col("shopper_id").cast(pl.Float64))
    assert spine[1:7]["shopper_id"].null_count() == 0
    given = parquet_spine(in_files(tmp_path / "spine", spine))
    compute_training_set(store, "at-once", service, spine, run_id="r", allow_missing=True)
    compute_training_set(store, "set", service, given, run_id="r", allow_missing=True, engine=engine)
    assert_same(store, "at-once", "set")


def test_rows_outside_the_range_are_refused(store: OfflineStore, tmp_path: Path) -> None:
    engine = SparkEngine(TasksInProcess(), OfflineFrames(), parts=3)
    given = parquet_spine(in_files(tmp_path / "spine", spine_of()))
    with pytest.raises(InputError, match="20 rows of the spine are in no day"):
        compute_training_set(store, "set", service, given, day(2), day(5), run_id="r", engine=engine)


def test_a_spine_without_rows_stores_empty_days(store: OfflineStore, tmp_path: Path) -> None:
    engine = SparkEngine(TasksInProcess(), OfflineFrames(), parts=3)
    spine_of().clear().write_parquet(tmp_path / "none.parquet")
    given = parquet_spine(str(tmp_path / "none.parquet"))
    stored = compute_training_set(store, "set", service, given, day(2), day(4), run_id="r", engine=engine)
    assert stored.rows == {}
    assert load_training_set(store, "set").collect().is_empty()
    with pytest.raises(InputError, match="give start and end"):
        compute_training_set(store, "set", service, given, run_id="r", engine=engine)


def test_spines_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Parquet files"):
        parquet_spine(str(tmp_path))
    with pytest.raises(InputError, match="cannot be read"):
        parquet_spine(str(tmp_path / "none.parquet"))
    with pytest.raises(InputError, match="no Delta table"):
        delta_spine(str(tmp_path))


def test_a_service_whose_views_were_never_computed_is_told(tmp_path: Path) -> None:
    store = OfflineStore(str(tmp_path / "offline"))
    engine = SparkEngine(TasksInProcess(), OfflineFrames(), parts=3)
    with pytest.raises(NotComputedError, match="60 rows"):
        compute_training_set(store, "set", service, spine_of(), run_id="r", engine=engine)
    compute_training_set(store, "set", service, spine_of(), run_id="r", engine=engine, allow_missing=True)
    compute_training_set(store, "at-once", service, spine_of(), run_id="r", allow_missing=True)
    assert_same(store, "at-once", "set")


KILLED = """
import os, signal, sys
from feature_store.offline.tables import partitioned_table
from tests.engines.test_training_sets import *
partitioned_table.commit_days = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
how = {"engine": SparkEngine(TasksInProcess(), OfflineFrames(), parts=3), "allow_missing": True}
compute_training_set(OfflineStore(sys.argv[1]), "set", service, spine_of(), run_id="k", **how)
"""


def test_a_run_that_is_killed_before_its_commit_leaves_nothing_after_the_next(store: OfflineStore) -> None:
    engine = SparkEngine(TasksInProcess(), OfflineFrames(), parts=3)
    process = subprocess.Popen([sys.executable, "-c", KILLED, store.root])
    assert process.wait(timeout=300) == -signal.SIGKILL
    left = set(files_of(store, "set"))
    assert any(file.endswith("-0.parquet") for file in left)
    assert any(".stages/" in file and file.endswith(".parquet") for file in left)
    compute_training_set(store, "set", service, spine_of()[:9], run_id="n", engine=engine, allow_missing=True)
    assert not {file for file in left & set(files_of(store, "set")) if "_delta_log" not in file}
    assert load_training_set(store, "set").collect().height == 9
