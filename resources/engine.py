"""The engine that computes, chosen on the resource of the offline store: Polars in the process of the run, or Spark."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import dagster as dg

from feature_store import FeatureView
from feature_store.engines.engine import Engine
from feature_store.errors import InputError
from feature_store.offline.materialize.default_engine import default_engine
from feature_store.offline.tables.stored_frames import OfflineFrames
from resources.settings import BUCKETS, ENGINES


class EngineChoice(dg.Config):
    """The engine that computes tiles, values and training sets; both compute the same, to the last bit.

    Attributes:
        name: ``polars`` or ``spark``.
        views: the engine of single views, by full name (``retail/household_spend``), where it is another one.
        spark_remote: ``sc://host:15002`` of a Spark Connect server; empty: a session in the process of the run, which
            needs a JDK 17.
        spark_config: settings of that session, e.g. ``{"spark.master": "yarn"}``. Dagster shows them: leave secrets to
            roles and the environment.
        buckets: into so many parts Spark divides entities. A task holds the rows of one part in memory.
    """

    name: str = "polars"
    views: Mapping[str, str] = {}
    spark_remote: str = ""
    spark_config: Mapping[str, str] = {}
    buckets: int = BUCKETS

    def name_of(self, view: FeatureView) -> str:
        """Return the name of the engine that computes a view.

        Raises:
            InputError: there is no engine of that name.
        """
        return self._known(self.views.get(view.full_name, self.name), view.full_name)

    def _known(self, name: str, what: str) -> str:
        if name not in ENGINES:
            raise InputError(f"{what}: there is no engine {name!r}. Give one of {', '.join(ENGINES)}.")
        return name

    def of(self, view: FeatureView) -> Engine:
        """Return the engine that computes a view; that of Spark starts a session, once per process.

        Raises:
            InputError: there is no engine of that name, or Spark lacks something here; says what to install.
        """
        return self._engine(self.name_of(view))

    def of_training(self) -> Engine:
        """Return the engine that computes training sets; see ``of``."""
        return self._engine(self._known(self.name, "training sets"))

    def _engine(self, name: str) -> Engine:
        if name == "polars":
            return default_engine()
        from feature_store.engines.spark.engine import SparkEngine  # noqa: PLC0415 - where Spark computes

        return SparkEngine(self._session(), OfflineFrames(), self.buckets)

    def _session(self) -> Any:
        try:
            builder = import_module("pyspark.sql").SparkSession.builder
        except ModuleNotFoundError as error:
            raise InputError(f"the engine spark needs the package {error.name}: install the extra `spark`") from error
        # Tasks would take the first python3 of the PATH.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        if self.spark_remote:
            return builder.remote(self.spark_remote).getOrCreate()
        if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
            raise InputError(
                "the engine spark needs a JDK 17 where no spark_remote is given: install one, or set JAVA_HOME to it"
            )
        for setting, value in {"spark.sql.session.timeZone": "UTC", **self.spark_config}.items():
            builder = builder.config(setting, value)
        return builder.getOrCreate()
