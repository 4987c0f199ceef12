"""Branches that have expired go by themselves."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from feature_assets.project.branches import drop_expired
from resources.settings import Settings


@dg.sensor(
    name="expired_branches",
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Drops branches 14 days after they began, and those whose dropping was interrupted.",
)
def expired_branches(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Drop what expired; a branch itself drops none."""
    settings = Settings.from_environment()
    if settings.branch:
        return dg.SkipReason("this is a branch")
    dropped = drop_expired(settings, datetime.now(UTC))
    context.log.info("dropped %s", ", ".join(dropped) or "nothing")
    return dg.SkipReason(f"dropped {', '.join(dropped)}" if dropped else "no branch has expired")
