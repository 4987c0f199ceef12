"""A process that backfills the last days of the benchmark's store, and prints what memory that took, as JSON."""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.materialize import HISTORY, Spend
from benchmarks.online import START
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore


def peak_memory() -> float:
    """Return the most memory that this process has had resident so far, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def main(root: str, days: str) -> None:
    """Backfill ``days`` days, and the tiles that they need."""
    store, idle, began = OfflineStore(root), peak_memory(), time.perf_counter()
    first = START + timedelta(days=HISTORY)
    end = first + timedelta(days=int(days))
    compute_tiles(store, Spend, START, end, "b")
    rows = compute_values(store, Spend, first, end, "b")
    taken = time.perf_counter() - began
    print(json.dumps({"rows": rows, "seconds": taken, "peak MB": peak_memory(), "idle MB": idle}))


if __name__ == "__main__":
    main(*sys.argv[1:])
