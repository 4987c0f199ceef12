"""``python -m tests.damage --runs 10000``: damage stores in all ways; nothing wrong may ever be answered.

One run in twenty is end to end, through the online store. The last line is one JSON object: ``{"damages": ...,
"noticed": ..., "harmless": ..., "served_wrong": ...}``; the exit code is 1 if anything has to be mended.

Runs are numbered, and each is the same whenever it is made: ``--first 4200 --runs 1`` makes one of them again, and a
campaign that was stopped goes on with ``--first``. A process of its own makes some hundred of them, so that one that a
damage kills costs itself alone, and is counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from resources.settings import project_root
from tests.damage.outcome import Outcome
from tests.damage.runs import outcomes

RUNS_PER_PROCESS = 500


def main() -> int:
    """Return 1 if a damage was answered wrongly, raised an error of a library, or passed unseen where it must not."""
    parser = argparse.ArgumentParser(prog="tests.damage", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10_000, help="how many damages")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--seed", type=int, default=0, help="of the dice")
    parser.add_argument("--as-lines", action="store_true", help="one JSON object per damage, made in this process")
    arguments = parser.parse_args()
    wanted = range(arguments.first, arguments.first + arguments.runs)
    if arguments.as_lines:
        with tempfile.TemporaryDirectory(prefix="damage-") as folder:
            for number, outcome in outcomes(Path(folder), wanted, arguments.seed):
                print(json.dumps([number, vars(outcome)]), flush=True)
        return 0
    counts: Counter[str] = Counter()
    for number, outcome in _in_processes(wanted, arguments.seed):
        counts[outcome.result] += 1
        if outcome.is_fault:
            print(f"run {number}: {outcome.result}: {outcome.damage} {outcome.told}", flush=True)
        if counts.total() % RUNS_PER_PROCESS == 0:
            print(f"{counts.total():,} damages, to run {number}: {dict(counts)}", file=sys.stderr, flush=True)
    faults = {name: counts[name] for name in ("raw", "not_noticed", "killed") if counts[name]}
    if faults:
        print(json.dumps(faults))
    told = {"damages": counts.total(), **{name: counts[name] for name in ("noticed", "harmless", "served_wrong")}}
    print(json.dumps(told), flush=True)
    return 1 if faults or counts["served_wrong"] else 0


def _in_processes(wanted: range, seed: int) -> Iterator[tuple[int, Outcome]]:
    """Yield all outcomes; of a process that ended early the run that ended it, and then what the next process makes."""
    left = wanted
    while left:
        count = min(len(left), RUNS_PER_PROCESS)
        command = [sys.executable, "-m", "tests.damage", "--as-lines", "--seed", str(seed)]
        command += ["--first", str(left.start), "--runs", str(count)]
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(command, cwd=project_root(), stdout=subprocess.PIPE, stderr=errors, text=True) as process,
        ):
            assert process.stdout is not None
            made = 0
            for line in process.stdout:
                number, outcome = json.loads(line)
                yield number, Outcome(**outcome)
                made += 1
            code = process.wait()
            if code:
                errors.seek(0)
                told = errors.read()[-2000:].decode(errors="replace")
                if made == count:
                    raise RuntimeError(f"the process ended with {code} after its last run: {told}")
                yield left[made], Outcome(f"it ended the process with {code}", "killed", told)
                made += 1
        left = left[made:]


if __name__ == "__main__":
    sys.exit(main())
