"""Features as Dagster assets: the generator, the landing of raw data, and one folder per team."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feature_assets.generator import Model, TrainingSet, build_feature_assets, source_asset

__all__ = ["Model", "TrainingSet", "build_feature_assets", "source_asset"]


def __getattr__(name: str) -> Any:
    """Import the generator, and with it Dagster, only when it is asked for: definitions are read without it."""
    if name not in __all__:
        raise AttributeError(f"module 'feature_assets' has no attribute {name!r}")
    return getattr(importlib.import_module("feature_assets.generator"), name)
