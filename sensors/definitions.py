"""The code location ``monitoring``: watches the views of all teams."""

from __future__ import annotations

import dagster as dg

from feature_assets.project import load_declarations
from resources.project import project_resources
from sensors.freshness import freshness_to_slack

_declared = load_declarations()
_resources = project_resources()

defs = dg.Definitions(
    sensors=[
        freshness_to_slack(list(_declared.views.values()), list(_declared.services.values()), broken=_declared.broken)
    ],
    resources={name: _resources[name] for name in ("offline_store", "online_store", "slack")},
)
