"""``python -m benchmarks.catalog.definitions_process VIEWS TEAMS``: one code location of them all."""

from __future__ import annotations

import json
import resource
import sys
import time


def main(views: int, teams: int) -> None:
    """Print what importing, declaring and resolving takes."""
    began = time.perf_counter()
    import dagster as dg  # noqa: PLC0415 - imports are measured

    from benchmarks.catalog.generated import Organisation, by_team, declare  # noqa: PLC0415
    from feature_assets.generator import build_feature_assets  # noqa: PLC0415
    from resources.project import project_resources  # noqa: PLC0415

    imported = time.perf_counter()
    declarations = declare(Organisation(views, teams))
    declared = time.perf_counter()
    parts = [build_feature_assets(views, services) for views, services in by_team(declarations)]
    defs = dg.Definitions.merge(*parts, dg.Definitions(resources=project_resources(team="team00")))
    built = time.perf_counter()
    repository = defs.get_repository_def()
    resolved, cpu = time.perf_counter(), time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "import": imported - began,
                "declare": declared - imported,
                "build": built - declared,
                "resolve": resolved - built,
                "seconds": resolved - began,
                "cpu_seconds": cpu,
                "rss_mb": peak,
                "assets": len(repository.asset_graph.get_all_asset_keys()),
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
