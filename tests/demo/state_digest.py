"""``python -m tests.demo.state_digest STATE OTHER``: whether two runs of ``make demo`` made the same, to the byte.

Compared are the compiled plans and, per partition that both hold, what the ledgers say: as-of, available-at, rows,
fingerprints and hashes. What depends on when the demo ran (the stream's copy, times of writing, run ids) is left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import polars as pl

from feature_store.plans.plan_revisions import current_plans

RECORDED = ("as_of", "available_at", "rows", "excluded", "fingerprints", "content_hash", "inputs_hash")
MANIFEST = "training/"
"""Ledgers in which the hash of the inputs is a manifest's id, which pins the Delta versions of one store."""


def digest_of(state: Path) -> dict[str, Any]:
    """Return what a state folder holds, by name: plans as text, and what is recorded of each partition."""
    plans = {
        f"plan {file.name}": file.read_text() for file in sorted(current_plans(state / "plans").folder.glob("*.json"))
    }
    ledgers = sorted(path.parent for path in (state / "offline").rglob("*.ledger/_delta_log"))
    partitions = {}
    for ledger in ledgers:
        name = ledger.relative_to(state / "offline").as_posix()
        recorded = RECORDED[:-1] if name.startswith(MANIFEST) else RECORDED
        landed = pl.read_delta(str(ledger)).filter(pl.col("kind") == "landed").sort("landed_at")
        for row in landed.iter_rows(named=True):
            partitions[f"{name} {row['partition_start']}"] = [str(row[column]) for column in recorded]
    return plans | partitions


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return the names that both hold with other contents."""
    return [name for name in one if name in other and one[name] != other[name]]


def main() -> int:
    """Print what differs; the last line is one JSON object."""
    one, other = (digest_of(Path(folder)) for folder in sys.argv[1:3])
    different = differences(one, other)
    for name in different[:10]:
        print(f"{name}\n  {one[name]!s:.300}\n  {other[name]!s:.300}")
    print(json.dumps({"compared": len(one.keys() & other.keys()), "different": len(different)}))
    return 1 if different or not one.keys() & other.keys() else 0


if __name__ == "__main__":
    sys.exit(main())
