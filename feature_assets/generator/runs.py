"""The job behind a run of some assets in this process."""

from collections.abc import Iterable

import dagster as dg

from feature_assets.generator.parity_checks import PARITY


def job_of(definitions: dg.Definitions, assets: Iterable[dg.AssetKey]) -> dg.JobDefinition:
    """Return the job that materializes assets, with all their checks but parity.

    Parity is about what both stores hold once a snapshot was loaded: it has a job of its own.
    """
    keys = frozenset(assets)
    checks = definitions.resolve_asset_graph().asset_check_keys
    wanted = frozenset(key for key in checks if key.asset_key in keys and key.name != PARITY)
    job = definitions.resolve_implicit_global_asset_job_def()
    return job.get_subset(asset_selection=keys, asset_check_selection=wanted)
