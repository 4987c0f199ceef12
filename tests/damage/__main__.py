"""``python -m tests.damage --runs 10000``: damage stores in all ways; nothing wrong may ever be answered.

One run in twenty is end to end, through the online store. The last line is one JSON object: ``{"damages": ...,
"noticed": ..., "harmless": ..., "served_wrong": ...}``; the exit code is 1 if anything has to be mended.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.damage.end_to_end import damages as online_damages
from tests.damage.in_process import damages
from tests.damage.outcome import Outcome

ONE_IN = 20
"""Of so many runs one is end to end."""


def main() -> int:
    """Return 1 if a damage was answered wrongly, raised an error of a library, or passed unseen where it must not."""
    parser = argparse.ArgumentParser(prog="tests.damage", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10_000, help="how many damages")
    parser.add_argument("--seed", type=int, default=0, help="of the dice")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    online = arguments.runs // ONE_IN
    with tempfile.TemporaryDirectory(prefix="damage-") as folder:
        for made in (damages, online_damages):
            place = Path(folder) / made.__module__
            for outcome in made(place, arguments.runs - online if made is damages else online, arguments.seed):
                _count(outcome, counts)
    faults = sum(counts[result] for result in ("raw", "not_noticed"))
    if faults:
        print(json.dumps({"raw": counts["raw"], "not_noticed": counts["not_noticed"]}))
    told = {"damages": counts.total(), **{name: counts[name] for name in ("noticed", "harmless", "served_wrong")}}
    print(json.dumps(told))
    return 1 if faults or counts["served_wrong"] else 0


def _count(outcome: Outcome, counts: Counter[str]) -> None:
    counts[outcome.result] += 1
    if outcome.is_fault:
        print(f"{outcome.result}: {outcome.damage} {outcome.told}", flush=True)
    if counts.total() % 500 == 0:
        print(f"{counts.total():,} damages", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
