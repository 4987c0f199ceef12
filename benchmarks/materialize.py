"""Computing a view of events offline: windows, daily snapshots, stored."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from benchmarks.measure import OURS, Result, Sample, alternate, stopwatch
from benchmarks.online import START, customer
from feature_store import EventSource, Float64, Int64, Timestamp, col, count, feature_view, mean, sum_
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore

purchases = EventSource(
    "bench_purchases",
    asset="raw/bench_purchases",
    event_time="at",
    columns={"customer_id": Int64, "at": Timestamp, "amount": Float64},
    start=START,
    description="Purchases",
)


@feature_view(
    entity=customer,
    source=purchases,
    namespace="bench",
    version=1,
    owner="benchmarks",
    cadence="1d",
    freshness="2d",
)
class Spend:
    """What a customer spends."""

    spend_7d = sum_(col("amount"), over="7d", description="Spend, 7 days")
    spend_30d = sum_(col("amount"), over="30d", description="Spend, 30 days")
    purchases_30d = count(over="30d", description="Purchases, 30 days")
    mean_30d = mean(col("amount"), over="30d", description="Mean purchase, 30 days")


HISTORY = 30
_NAIVE = "naive_"


def materialize(events_per_day: int, entities: int, days: int, rounds: int) -> Result:
    """Measure rows of values per second, from raw events to stored snapshots.

    Args:
        events_per_day: raw rows.
        entities: that the events are of.
        days: daily snapshots that are computed, each over windows of up to 30 days.
        rounds: of measurements.
    """
    first = START + timedelta(days=HISTORY)
    end = first + timedelta(days=days)
    with TemporaryDirectory() as folder:
        store = OfflineStore(folder)
        for day in range(HISTORY + days):
            start = START + timedelta(days=day)
            rows = _events(start, day, events_per_day, entities)
            store.source(purchases.asset).write(rows, start, start + timedelta(days=1), time_column="at", run_id="b")

        def ours() -> Sample:
            with stopwatch() as seconds:
                compute_tiles(store, Spend, START, end, "b")
                rows = compute_values(store, Spend, first, end, "b")
                taken = seconds()
            return Sample(rows / taken, {"rows": rows, "seconds": taken})

        def naive() -> Sample:
            with stopwatch() as seconds:
                rows = sum(_naive(store, first + timedelta(days=day), Path(folder)) for day in range(days))
                taken = seconds()
            return Sample(rows / taken, {"rows": rows, "seconds": taken})

        samples = alternate({OURS: ours, "polars group_by of raw rows per day, to Parquet": naive}, rounds)
        _check(
            store.values(Spend).scan().filter(pl.col("as_of") > first), pl.scan_parquet(f"{folder}/{_NAIVE}*.parquet")
        )
    return Result(
        f"Materialize {days} days of 7 and 30 day windows, {events_per_day:,} events/day, {entities:,} entities",
        "rows/s",
        samples,
        [
            f"ours: tiles of {HISTORY + days} days, then {days} snapshots, committed to Delta with ledger and hashes",
            "the naive way reads each day's 30 days again and keeps no tiles; all values were compared",
        ],
    )


def backfill(events_per_day: int, entities: int, rounds: int) -> Result:
    """Measure what memory a long backfill takes beside a short one, each in a process of its own.

    Args:
        events_per_day: raw rows.
        entities: that the events are of.
        rounds: of measurements.
    """
    with TemporaryDirectory() as folder:
        store = OfflineStore(folder)
        for day in range(HISTORY + max(_SPANS.values())):
            start = START + timedelta(days=day)
            rows = _events(start, day, events_per_day, entities)
            store.source(purchases.asset).write(rows, start, start + timedelta(days=1), time_column="at", run_id="b")
        samples = alternate({name: partial(_backfill, folder, days) for name, days in _SPANS.items()}, rounds)
    result = Result(
        f"Backfill a year and a month, windows of 7 and 30 days, {events_per_day:,} events/day, {entities:,} entities",
        "rows/s",
        samples,
    )
    ratios = [
        long.details["peak MB"] / short.details["peak MB"]
        for long, short in zip(samples[OURS], samples["30 days"], strict=True)
    ]
    note = f"peak memory of 365 days over that of 30 days: {max(ratios):.2f} at most; above 1.5 it grows with the range"
    return replace(result, notes=[note, "peak: VmHWM of the process; idle: before it began"])


_SPANS: Final = {OURS: 365, "30 days": 30}
"""Days of the backfills that are compared."""


def _backfill(folder: str, days: int) -> Sample:
    command = [sys.executable, "-m", "benchmarks.backfill_process", folder, str(days)]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return Sample(found["rows"] / found["seconds"], found)


def _events(start: datetime, day: int, count_: int, entities: int) -> pl.DataFrame:
    rng = np.random.default_rng(day)
    return pl.DataFrame(
        {
            "customer_id": rng.integers(0, entities, count_),
            "offset": rng.integers(0, 86_400_000_000, count_),
            "amount": rng.random(count_),
        }
    ).select(
        "customer_id",
        (pl.lit(start, pl.Datetime("us", "UTC")) + pl.duration(microseconds="offset")).alias("at"),
        "amount",
    )


def _naive(store: OfflineStore, start: datetime, folder: Path) -> int:
    as_of = start + timedelta(days=1)
    events = store.source(purchases.asset).scan(as_of - timedelta(days=HISTORY), as_of)
    week = pl.col("at") >= as_of - timedelta(days=7)
    rows = (
        events.group_by("customer_id")
        .agg(
            pl.col("amount").filter(week).sum().alias("spend_7d"),
            pl.col("amount").sum().alias("spend_30d"),
            pl.len().alias("purchases_30d"),
            pl.col("amount").mean().alias("mean_30d"),
        )
        .with_columns(pl.lit(as_of, pl.Datetime("us", "UTC")).alias("as_of"))
        .sort("customer_id")
        .collect()
    )
    rows.write_parquet(folder / f"{_NAIVE}{start.date()}.parquet")
    return rows.height


def _check(ours: pl.LazyFrame, naive: pl.LazyFrame) -> None:
    order = ["as_of", "customer_id"]
    expected = naive.sort(order).collect()
    assert_frame_equal(ours.select(expected.columns).sort(order).collect(), expected, rel_tol=1e-9, check_dtypes=False)
