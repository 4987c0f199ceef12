"""The code location ``monitoring``: watches the views of all teams."""

from __future__ import annotations

import dagster as dg

from feature_assets.project import load_declarations
from resources.project import project_resources
from resources.settings import Settings
from sensors.damage_alerts import damage_to_slack
from sensors.freshness import freshness_to_slack
from sensors.slack_sensor import Watched
from sensors.verification import verification_schedule

_declared = load_declarations()
_resources = project_resources()
_watched = Watched(list(_declared.views.values()), list(_declared.services.values()), broken=_declared.broken)

defs = dg.Definitions(
    sensors=[freshness_to_slack(_watched), damage_to_slack(_watched)],
    schedules=[verification_schedule(_watched.views, Settings.from_environment().verify_sample)],
    resources={name: _resources[name] for name in ("offline_store", "online_store", "slack")},
)
