"""The merchandising team's Dagster code location."""

from __future__ import annotations

import dagster as dg

from feature_assets.generator import build_feature_assets
from feature_assets.raw.clock import partitions_end
from feature_assets.teams.merchandising.features import views
from feature_assets.teams.merchandising.services import services
from resources.project import project_resources

defs = dg.Definitions.merge(
    build_feature_assets(views, services, end=partitions_end()),
    dg.Definitions(resources=project_resources(team="merchandising"), executor=dg.in_process_executor),
)
