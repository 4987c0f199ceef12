"""The Python client: a feature service's vectors straight from the online store."""

from __future__ import annotations

import logging
import time as clock
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from feature_store.checks.arguments import checked
from feature_store.plans.service_plan import ServicePlan
from feature_store.s3.options import S3Options, S3Settings
from feature_store.s3.paths import Place, S3Path, place_of
from serving.read.plan_folder import PLAN_SECONDS, PlanFolder
from serving.read.requests import read_features, read_keys, read_time
from serving.read.vectors import FeatureVectors
from serving.stores.open_store import open_reader

_LOG: Final = logging.getLogger("serving.client")


class FeatureClient:
    """Reads feature vectors for jobs, notebooks and models in Python.

    Args:
        plans: the folder that ``features apply`` writes, or its place on S3, ``s3://bucket/prefix``, where
            ``FEATURES_S3_ENDPOINT`` and others say where S3 is.
        url: of the online store, e.g. ``redis://127.0.0.1:6379/0``.
    """

    @checked
    def __init__(self, plans: Place | str, url: str) -> None:
        place = plans if isinstance(plans, S3Path) else place_of(plans, S3Options(S3Settings.from_environment()))
        self._plans = PlanFolder(place)
        self._looked = -PLAN_SECONDS
        self._reader = open_reader(url)
        self._warned: set[tuple[str, str]] = set()

    def get_features(
        self,
        service: str,
        keys: Mapping[str, Sequence[Any]],
        *,
        inputs: Mapping[str, Sequence[Any]] | None = None,
        features: Sequence[str] | None = None,
        time: datetime | None = None,
    ) -> FeatureVectors:
        """Return the service's features for one or many entities, in one round trip to the store.

        Args:
            service: ``name/vN``, or ``name`` for its newest version.
            keys: per key column one value per entity; None is a null key.
            inputs: what comes with the request, by name, one value per entity; None: nothing. Those that the features
                wanted read must be there, but for ones with a default.
            features: names of the features wanted; None: all.
            time: T, with a time zone; None: now. Only generations that are still online can be read.

        Raises:
            RequestError: the service, a key, an input or the time is wrong; the message names the field.
            FingerprintError: the store and the plan disagree about a definition.
            StoreUnavailableError: the store does not answer.
        """
        if clock.monotonic() - self._looked >= PLAN_SECONDS:
            self._plans.refresh()
            self._looked = clock.monotonic()
        assembly = self._plans.find(service, read_features(features))
        self._warn(assembly.plan)
        question = assembly.ask(read_keys(assembly.plan, keys, inputs))
        instant = read_time(time)
        return assembly.answer(question, self._reader.read(question.wanted, instant), instant)

    def _warn(self, plan: ServicePlan) -> None:
        """Tell, once for each reason, of deprecated features that are read."""
        for deprecation in plan.deprecations:
            if (plan.full_name, deprecation) not in self._warned:
                self._warned.add((plan.full_name, deprecation))
                _LOG.warning("%s: %s", plan.full_name, deprecation)

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
