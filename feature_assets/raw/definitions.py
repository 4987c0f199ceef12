"""The code location ``raw``: the landing of every source, and the sensor that requests what has arrived."""

from __future__ import annotations

import dagster as dg

from feature_assets.raw.assets import raw_assets
from resources.project import project_resources

defs = dg.Definitions(
    assets=raw_assets,
    resources={"offline_store": project_resources()["offline_store"]},
    executor=dg.in_process_executor,
    sensors=[
        dg.AutomationConditionSensorDefinition(
            "raw_automation",
            target=dg.AssetSelection.all(),
            default_status=dg.DefaultSensorStatus.RUNNING,
            minimum_interval_seconds=30,
        )
    ],
)
