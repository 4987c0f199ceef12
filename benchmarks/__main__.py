"""``python -m benchmarks [NAME...] [--scale X] [--rounds N]``: measure, print tables, end with a line of JSON."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable

from benchmarks.batch_read import batch_read
from benchmarks.bulk_load import bulk_load
from benchmarks.catalog.benchmark import catalog
from benchmarks.checksum import checksum
from benchmarks.http.benchmark import http
from benchmarks.materialize import backfill, materialize
from benchmarks.measure import Result, table
from benchmarks.point_in_time import point_in_time
from benchmarks.request_features import request_features
from benchmarks.stream_read import stream_read

BENCHMARKS: dict[str, Callable[[Callable[[int], int], int], Result]] = {
    "bulk_load": lambda scaled, rounds: bulk_load(scaled(500_000), 10, rounds),
    "batch_read": lambda scaled, rounds: batch_read(scaled(200_000), 1_000, 10, 200, rounds),
    "checksum": lambda scaled, rounds: checksum(scaled(50_000), 1_000, 10, 0, 300, rounds),
    "checksum_texts": lambda scaled, rounds: checksum(scaled(50_000), 1_000, 10, 3, 300, rounds),
    "stream_read": lambda scaled, rounds: stream_read(scaled(20_000), 1_000, 100, rounds),
    "http_one": lambda scaled, rounds: http(scaled(200_000), 1, 10, 2, rounds),
    "http_many": lambda scaled, rounds: http(scaled(50_000), 100, 50, 2, rounds),
    "point_in_time": lambda scaled, rounds: point_in_time(scaled(300_000), scaled(100_000), 30, 5, rounds),
    "request_feature_one": lambda _scaled, rounds: request_features(1, 10, 500, rounds),
    "request_feature_batch": lambda _scaled, rounds: request_features(32, 10, 500, rounds),
    "request_feature_many": lambda _scaled, rounds: request_features(100, 50, 200, rounds),
    "backfill": lambda scaled, rounds: backfill(scaled(20_000), scaled(20_000), rounds),
    "materialize": lambda scaled, rounds: materialize(scaled(50_000), scaled(20_000), 10, rounds),
}


def main() -> None:
    """Run the benchmarks that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure beside peers and limits.")
    names = f"which: {', '.join(BENCHMARKS)} (default: all); or catalog alone, which has no contenders but Feast"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the sizes (default: 1)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each contender (default: 3)")
    given = parser.parse_args()
    if given.names == ["catalog"]:
        print(json.dumps(catalog(given.scale)))
        return
    for name in given.names:
        if name not in BENCHMARKS:
            parser.error(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    if given.rounds < 1 or given.scale <= 0:
        parser.error("--rounds and --scale must be positive")
    records = {}
    for name in given.names or BENCHMARKS:
        began = time.monotonic()
        result = BENCHMARKS[name](lambda size: max(1_000, round(size * given.scale)), given.rounds)
        print(f"{name}: {table(result)}\n  ({time.monotonic() - began:.0f} s)\n", flush=True)
        records[name] = result.record()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} at the end: compare ratios, rates only on a quiet machine")
    print(json.dumps({"cores": os.cpu_count(), "load": round(load, 1), "rounds": given.rounds, "benchmarks": records}))


if __name__ == "__main__":
    main()
