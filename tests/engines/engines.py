"""The engines that are tested: whoever adds one names it here, and every test of this folder runs on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from feature_store.engines.engine import Engine
from feature_store.engines.polars.engine import PolarsEngine
from feature_store.engines.spark.engine import SparkEngine
from feature_store.offline.tables.stored_frames import OfflineFrames
from feature_store.temporal.durations import DAY
from tests.engines.tasks_in_process import TasksInProcess

ENGINES: Final[dict[str, Callable[[], Engine]]] = {
    "polars": lambda: PolarsEngine(OfflineFrames()),
    "polars, day by day": lambda: PolarsEngine(OfflineFrames(), at_once=DAY),
    "spark, its tasks alone": lambda: SparkEngine(TasksInProcess(), OfflineFrames(), parts=3),
}
"""Engines by name; Spark itself is started by a fixture."""
