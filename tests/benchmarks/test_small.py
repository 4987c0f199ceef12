"""Every benchmark runs, none of its contenders is missing, and they agree. What they measure is not looked at."""

import json
import subprocess
import sys

import pytest

from benchmarks.__main__ import BENCHMARKS
from resources.settings import project_root

HTTP = {"ours", "minimal micro-batching server", "limit: constant answer of our size"}
CONTENDERS = {
    "bulk_load": {
        "ours",
        "ours, day by day",
        "redis-py pipeline of SET",
        "limit: RESP from numpy, plain socket",
    },
    "batch_read": {"ours", "redis-py MGET + numpy", "limit: plain socket + numpy"},
    "checksum": {"ours", "without checksum"},
    "checksum_texts": {"ours", "without checksum"},
    "stream_read": {"ours", "redis-py MGET of the same bytes"},
    "http_one": HTTP,
    "http_many": HTTP,
    "point_in_time": {"ours", "polars join_asof", "duckdb ASOF JOIN", "limit: reading the Parquet files"},
    "request_feature_one": {"ours", "without a request feature", "with a request feature of an input"},
    "request_feature_batch": {"ours", "without a request feature", "with a request feature of an input"},
    "request_feature_many": {"ours", "without a request feature", "with a request feature of an input"},
    "backfill": {"ours", "30 days"},
    "materialize": {"ours", "polars group_by of raw rows per day, to Parquet"},
}


def test_every_benchmark_is_run_here() -> None:
    assert BENCHMARKS.keys() == CONTENDERS.keys()


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_measures_all_its_contenders_on_little_data(name: str) -> None:
    command = [sys.executable, "-m", "benchmarks", name, "--scale", "0.001", "--rounds", "1"]
    done = subprocess.run(command, cwd=project_root(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout.splitlines()[-1])["benchmarks"][name]["contenders"]
    assert measured.keys() == CONTENDERS[name]
    assert all(each["median"] > 0 for each in measured.values())


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_catalog_is_measured_at_a_small_size() -> None:
    command = [sys.executable, "-m", "benchmarks", "catalog", "--scale", "0.02"]
    done = subprocess.run(command, cwd=project_root(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout.splitlines()[-1])
    feast = measured.pop("feast_apply_s")
    names = ("definitions_load_s", "definitions_rss_mb", "plan_s", "search_p95_ms", "impact_ms", "server_ready_s")
    assert tuple(measured) == names
    assert all(each > 0 for each in measured.values())
    assert feast is None or feast > 0
