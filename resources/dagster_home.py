"""The Dagster instance of the project, or of a branch: a folder in the state folder, with ``dagster.yaml`` of here."""

from __future__ import annotations

import os
from pathlib import Path

from resources.settings import Settings


def use_project_home(settings: Settings) -> None:
    """Make this process and its children use the instance in the state folder, whatever ``DAGSTER_HOME`` was."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    text = Path(__file__).with_name("dagster.yaml").read_text()
    if settings.compute_logs:
        from resources.s3 import COMPUTE_LOGS, bucket_and_prefix  # noqa: PLC0415 - of an extra

        bucket, prefix = bucket_and_prefix(settings.compute_logs)
        text += COMPUTE_LOGS.format(bucket=bucket, prefix=prefix)
    (home / "dagster.yaml").write_text(text)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    # Dagster calls these parameters beta wherever they are used; we need them, and tests hold what they do.
    beta = ("allow_nonexistent_upstream_partitions", "backfill_policy")
    os.environ["PYTHONWARNINGS"] = ",".join(f"ignore:Parameter `{name}`" for name in beta)
