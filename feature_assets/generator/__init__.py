"""Turns declared sources, views, services and models into Dagster definitions. Knows no team and touches no store."""

from feature_assets.generator.definitions import build_feature_assets
from feature_assets.generator.source_assets import source_asset
from feature_assets.generator.training_assets import Model, TrainingSet

__all__ = ["Model", "TrainingSet", "build_feature_assets", "source_asset"]
