from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from polars.testing import assert_frame_equal

from resources.settings import project_root

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

ROWS = 10_000
BUCKETS = 8


def purchases() -> pl.DataFrame:
    rows = pl.DataFrame({"household": [number * 7919 % 331 for number in range(ROWS)]}, schema={"household": pl.Int64})
    return rows.with_columns(bucket=pl.col("household") % BUCKETS, amount=pl.int_range(pl.len(), dtype=pl.Int64))


def test_polars_groups_whole_buckets_inside_the_tasks_of_spark(spark_session: SparkSession) -> None:
    def spend(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        import feature_store  # The project is importable in a task.

        assert feature_store.Int64
        rows = pl.DataFrame(pa.Table.from_batches(batches)) if (batches := list(batches)) else None
        if rows is not None:
            sums = (
                rows.group_by("bucket", "household").agg(pl.col("amount").sum()).with_columns(pid=pl.lit(os.getpid()))
            )
            yield from sums.cast({"pid": pl.Int64}).to_arrow().to_batches()

    frame = spark_session.createDataFrame(purchases().to_arrow()).repartition(BUCKETS, "bucket")
    done = frame.mapInArrow(spend, "bucket long, household long, amount long, pid long").toArrow()
    seen = pl.DataFrame(done)
    assert os.getpid() not in seen["pid"]
    # A household that two tasks saw would stand here twice.
    expected = purchases().group_by("bucket", "household").agg(pl.col("amount").sum())
    assert_frame_equal(seen.drop("pid"), expected, check_row_order=False)


def test_delta_tables_are_read_both_ways(spark_session: SparkSession, tmp_path: Path) -> None:
    spark_session.createDataFrame(purchases().to_arrow()).write.format("delta").save(str(tmp_path / "by-spark"))
    assert_frame_equal(pl.read_delta(str(tmp_path / "by-spark")), purchases(), check_row_order=False)
    purchases().write_delta(str(tmp_path / "by-delta-rs"))
    read = spark_session.read.format("delta").load(str(tmp_path / "by-delta-rs")).toArrow()
    assert_frame_equal(pl.DataFrame(read), purchases(), check_row_order=False)


CLIENT = """
import sys
import polars as pl
import pyarrow as pa
from pyspark.sql import SparkSession

def doubled(batches):
    for batch in batches:
        yield pl.DataFrame(pa.Table.from_batches([batch])).select(pl.col("id") * 2).to_arrow().to_batches()[0]

session = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
print(session.range(0, 1000, numPartitions=2).mapInArrow(doubled, "id long").toPandas()["id"].sum())
session.stop()
"""


def test_a_process_without_a_jvm_computes_through_spark_connect(spark_connect: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"} | {"PATH": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, spark_connect],
        cwd=project_root(),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["999000"]
