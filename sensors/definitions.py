"""The code location ``monitoring``: watches the views of all teams, and drops branches that expired."""

from __future__ import annotations

import os
from functools import partial

import dagster as dg

from feature_assets.project import load_declarations
from feature_assets.project.recorded import recorded_definitions
from resources.project import project_resources
from resources.settings import Settings
from sensors.branches import expired_branches
from sensors.damage_alerts import damage_to_slack
from sensors.freshness import freshness_to_slack
from sensors.openlineage import lineage_to_openlineage
from sensors.slack_sensor import Watched
from sensors.verification import verification_schedule

_declared = load_declarations()
_views, _services = list(_declared.views.values()), list(_declared.services.values())
_settings = Settings.from_environment()
_watched = Watched(_views, _services, broken=_declared.broken, recorded=partial(recorded_definitions, _settings))
_resources = project_resources()
# A branch tells nobody outside.
_tells_lineage = os.environ.get("OPENLINEAGE_URL") and not _settings.branch

defs = dg.Definitions(
    sensors=[
        freshness_to_slack(_watched),
        damage_to_slack(_watched),
        expired_branches,
        *([lineage_to_openlineage(_views, _services)] if _tells_lineage else []),
    ],
    schedules=[verification_schedule(_watched.views, _settings.verify_sample)],
    resources={name: _resources[name] for name in ("offline_store", "online_store", "slack")},
)
