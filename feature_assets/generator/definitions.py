"""From declarations to Dagster definitions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from feature_assets.generator.checks import freshness_checks, freshness_schedule
from feature_assets.generator.feature_specs import on_read_spec
from feature_assets.generator.keys import online_key, table_key, tiles_key
from feature_assets.generator.online_assets import online_asset
from feature_assets.generator.parity_checks import parity_checks, parity_schedule
from feature_assets.generator.training_assets import Model, TrainingSet, model_spec, training_asset
from feature_assets.generator.view_assets import table_assets, tiles_asset
from feature_store import FeatureService, FeatureView


def build_feature_assets(
    views: Sequence[FeatureView],
    services: Sequence[FeatureService] = (),
    models: Sequence[Model] = (),
    training_sets: Sequence[TrainingSet] = (),
    end: datetime | None = None,
) -> dg.Definitions:
    """Return everything Dagster needs to know of some views: assets, checks, automation.

    The code location adds the resources ``offline_store``, ``delta_io`` and ``online_store``
    (``resources.project.project_resources`` gives ours), for instance with ``dg.Definitions.merge``.

    Args:
        views: computed, stored and loaded online here; all of one team.
        services: read by models that are not listed in ``models``: each gets a model of its name.
        models: shown downstream of their features, which may be other teams'.
        training_sets: built day by day.
        end: where partitions end, UTC; None: they go on with the time.
    """
    served = {model.service for model in models}
    shown = [*models, *(_model_of(service) for service in services if service not in served)]
    return dg.Definitions(
        assets=[
            *(tiles_asset(view, end) for view in views if not view.is_table),
            *(table_assets(view, end) for view in views),
            *(on_read_spec(view, f) for view in views if view.assets == "feature" for f in view if not f.is_stored),
            *(online_asset(view) for view in views),
            *(training_asset(training, end) for training in training_sets),
            *(model_spec(model, training_sets) for model in shown),
        ],
        asset_checks=[freshness_checks(views), parity_checks(views)] if views else [],
        schedules=[freshness_schedule(views), parity_schedule(views)] if views else [],
        sensors=[_automation(views)] if views else [],
    )


def _model_of(service: FeatureService) -> Model:
    return Model(service.name, service, service.owner, service.description)


def _automation(views: Sequence[FeatureView]) -> dg.AutomationConditionSensorDefinition:
    keys = [key(view) for view in views for key in (tiles_key, table_key, online_key)]
    tables = {tiles_key(view) for view in views if view.is_table}
    return dg.AutomationConditionSensorDefinition(
        "follow_upstream",
        target=dg.AssetSelection.assets(*(key for key in keys if key not in tables)),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
    )
