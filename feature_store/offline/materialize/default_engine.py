"""The engine that computes where none is given: the one place that says which."""

from __future__ import annotations

from feature_store.engines.engine import Engine
from feature_store.engines.polars.engine import PolarsEngine
from feature_store.offline.tables.stored_frames import OfflineFrames


def default_engine() -> Engine:
    """Return the Polars engine, reading from and staging in the offline store."""
    return PolarsEngine(OfflineFrames())
