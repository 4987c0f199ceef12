"""Training sets: joining features to a spine as they were available before each row's time."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import polars as pl
from deltalake import DeltaTable

from benchmarks.measure import OURS, Result, Sample, alternate, stopwatch
from benchmarks.online import START, numbers, wide_view
from feature_store import FeatureService
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import build_training_set

_INSTANT = pl.Datetime("us", "UTC")


def point_in_time(spine_rows: int, entities: int, days: int, features: int, rounds: int) -> Result:
    """Measure spine rows per second.

    Args:
        spine_rows: rows that features are joined to.
        entities: each has a row in every daily partition.
        days: partitions.
        features: per entity.
        rounds: of measurements.
    """
    view = wide_view(features)
    names = [feature.name for feature in view.stored_features]
    service = FeatureService("bench_training", 1, "benchmarks", "All of a wide view", [view.all()])
    with TemporaryDirectory() as folder:
        store = OfflineStore(folder)
        for day in range(days):
            start = START + timedelta(days=day)
            store.values(view).write(
                _partition(start, day, entities, names), start, start + timedelta(days=1), run_id="b"
            )
        spine = _spine(spine_rows, entities, days)

        def scan() -> pl.LazyFrame:
            return store.values(view).scan()

        files = DeltaTable(store.values(view).uri).file_uris()
        contenders: dict[str, Any] = {
            OURS: lambda: build_training_set(store, service, spine).frame,
            "polars join_asof": lambda: _polars(scan(), spine, names),
            "duckdb ASOF JOIN": lambda: _duckdb(files, spine, names),
        }
        _check(contenders, view.name, names)
        contenders["limit: reading the Parquet files"] = lambda: scan().select("customer_id", "as_of", *names).collect()
        samples = alternate(
            {name: partial(_measure, work, spine_rows) for name, work in contenders.items()},
            rounds,
        )
    return Result(
        f"Point-in-time join, {spine_rows:,} spine rows x {entities * days:,} feature rows x {features} features",
        "spine rows/s",
        samples,
        ["all read the same files; every contender's values were compared with ours"],
    )


def _measure(work: Any, rows: int) -> Sample:
    with stopwatch() as seconds:
        work()
        taken = seconds()
    return Sample(rows / taken, {"seconds": taken})


def _partition(start: Any, day: int, entities: int, names: list[str]) -> pl.DataFrame:
    values = numbers(entities, len(names)) + np.float32(day)
    return pl.DataFrame({"customer_id": np.arange(entities), **{n: values[:, i] for i, n in enumerate(names)}}).select(
        pl.lit(start, _INSTANT).alias("partition_start"), pl.all()
    )


def _spine(rows: int, entities: int, days: int) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    first = START + timedelta(days=1, microseconds=1)
    offsets = rng.integers(0, (days - 1) * 86_400_000_000, rows)
    return pl.DataFrame({"customer_id": rng.integers(0, entities, rows), "offset": offsets}).select(
        "customer_id", (pl.lit(first, _INSTANT) + pl.duration(microseconds="offset")).alias("time")
    )


def _polars(rows: pl.LazyFrame, spine: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    left = spine.lazy().with_row_index("row").sort("time")
    right = rows.select("customer_id", "as_of", *names).sort("as_of")
    joined = left.join_asof(
        right, left_on="time", right_on="as_of", by="customer_id", allow_exact_matches=False, check_sortedness=False
    )
    return joined.sort("row").select("customer_id", "time", *names).collect()


def _duckdb(files: list[str], spine: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    asked = spine.with_row_index("place")  # noqa: F841 - read by the query
    columns = ", ".join(f"stored.{name}" for name in names)
    return duckdb.sql(
        f"SELECT asked.customer_id, asked.time, {columns} FROM asked ASOF LEFT JOIN read_parquet({files}) stored "
        "ON asked.customer_id = stored.customer_id AND asked.time > stored.as_of ORDER BY asked.place"
    ).pl()


def _check(contenders: dict[str, Any], prefix: str, names: list[str]) -> None:
    ours = contenders[OURS]().select("customer_id", "time", *(f"{prefix}__{name}" for name in names))
    for name, work in contenders.items():
        if name != OURS and work().rows() != ours.rows():
            raise RuntimeError(f"{name} gives other values than we do")
