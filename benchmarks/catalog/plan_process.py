"""``python -m benchmarks.catalog.plan_process VIEWS TEAMS``: a plan in which nothing changes, imports included."""

from __future__ import annotations

import json
import sys
import time


def main(views: int, teams: int) -> None:
    """Print how long it takes to declare everything and to compare it with the catalog, seconds."""
    began = time.perf_counter()
    from benchmarks.catalog.generated import Organisation, declare  # noqa: PLC0415 - imports are measured
    from feature_assets.cli.planning import planned  # noqa: PLC0415
    from resources.settings import Settings  # noqa: PLC0415

    found = planned(Settings.from_environment(), declare(Organisation(views, teams)))
    if found.proposal.changes or found.refused:
        raise RuntimeError("something changed, though the same was applied")
    print(json.dumps({"seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
