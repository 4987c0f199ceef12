"""The growth team's Dagster code location."""

from __future__ import annotations

import dagster as dg

from feature_assets.generator import TrainingSet, build_feature_assets
from feature_assets.raw.clock import partitions_end
from feature_assets.teams.growth.features import views
from feature_assets.teams.growth.services import churn, services
from feature_assets.teams.growth.training.churn_dataset import DEPS, FIRST_DAY, churn_spine, labels_known_until
from resources.project import project_resources

churn_training = TrainingSet(churn, spine=churn_spine, start=FIRST_DAY, deps=DEPS, known_until=labels_known_until)

defs = dg.Definitions.merge(
    build_feature_assets(views, services, training_sets=[churn_training], end=partitions_end()),
    dg.Definitions(resources=project_resources(team="growth"), executor=dg.in_process_executor),
)
