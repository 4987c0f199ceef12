"""From declarations to Dagster definitions."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import dagster as dg

from feature_assets.generator.feature_specs import ViewSpecs
from feature_assets.generator.freshness_checks import freshness_sensor
from feature_assets.generator.keys import online_key, table_key, tiles_key, training_key
from feature_assets.generator.online_assets import online_asset
from feature_assets.generator.parity_checks import parity_checks, parity_sensor
from feature_assets.generator.repairs import repair_sensor
from feature_assets.generator.training_assets import Model, TrainingSet, model_spec, training_asset
from feature_assets.generator.view_assets import table_assets, tiles_asset
from feature_store import FeatureService, FeatureView
from feature_store.checks.arguments import checked_declaration
from feature_store.model.agreement import by_name, owner_of, services_by_name

_SELDOM: Final = (50_000, 20, 50)
"""After so many new objects the collector of cycles looks at the young ones, after so many looks at older ones."""


@checked_declaration
def build_feature_assets(
    views: Sequence[FeatureView],
    services: Sequence[FeatureService] = (),
    models: Sequence[Model] = (),
    training_sets: Sequence[TrainingSet] = (),
    end: datetime | None = None,
    name: str | None = None,
) -> dg.Definitions:
    """Return everything Dagster needs to know of some views: assets, checks, automation.

    The code location adds the resources ``offline_store``, ``delta_io`` and ``online_store``
    (``resources.project.project_resources`` gives ours), for instance with ``dg.Definitions.merge``.

    Args:
        views: computed, stored and loaded online here; all of one team.
        services: read by models that are not listed in ``models``: each gets a model of its name.
        models: shown downstream of their features, which may be other teams'.
        training_sets: built day by day.
        end: where partitions end, UTC, if before the ends of their sources; None: they go on with the time. Say of a
            source that is finished ``end=`` where it is declared, so that nobody waits for more.
        name: what sensors and the op of the parity checks are called after; None: the team. A code location that calls
            this twice for one team needs it.

    Raises:
        DefinitionError: views have several owners, or two views, services, entities or sources of one name differ.
    """
    _collect_seldom()
    by_name(views)
    services_by_name(services)
    served = {model.service for model in models}
    shown = [*models, *(_model_of(service) for service in services if service not in served)]
    watching = _watching(views, training_sets, name) if views else dg.Definitions()
    assets = [
        *(tiles_asset(view, end) for view in views if not view.is_table),
        *(table_assets(view, end) for view in views),
        *(ViewSpecs(view).on_read(f) for view in views if view.assets == "feature" for f in view if not f.is_stored),
        *(online_asset(view) for view in views),
        *(training_asset(training, end) for training in training_sets),
        *(model_spec(model, training_sets) for model in shown),
    ]
    return dg.Definitions.merge(dg.Definitions(assets=assets), watching)


def _collect_seldom() -> None:
    """Let the collector of cycles look seldom from now on: what is declared stays, and it would walk over all of it.

    It took a seventh of the time in which ten thousand features load, and found nothing to free. A process that has it
    disabled, or looks even less often, is left as it is.
    """
    thresholds = gc.get_threshold()
    if thresholds[0]:
        gc.set_threshold(*map(max, thresholds, _SELDOM))


def _model_of(service: FeatureService) -> Model:
    return Model(service.name, service, service.owner, service.description)


def _watching(views: Sequence[FeatureView], training_sets: Sequence[TrainingSet], name: str | None) -> dg.Definitions:
    """Return what automates and checks views."""
    owner = owner_of(views)
    prefix = name or owner
    return dg.Definitions(
        asset_checks=[parity_checks(f"{prefix}__parity", views)],
        sensors=[
            _automation(f"{prefix}_automation", views, training_sets),
            freshness_sensor(f"{prefix}_freshness", views),
            parity_sensor(f"{prefix}_parity", views),
            repair_sensor(f"{prefix}_repairs", views),
        ],
    )


def _automation(
    name: str, views: Sequence[FeatureView], training_sets: Sequence[TrainingSet]
) -> dg.AutomationConditionSensorDefinition:
    made = {key(view) for view in views for key in (tiles_key, table_key, online_key)}
    without_tiles = {tiles_key(view) for view in views if view.is_table}
    made |= {training_key(training.service.full_name) for training in training_sets}
    return dg.AutomationConditionSensorDefinition(
        name,
        target=dg.AssetSelection.assets(*sorted(made - without_tiles)),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Requests tiles, tables, loads and training sets once what they read is there, and what failed.",
    )
