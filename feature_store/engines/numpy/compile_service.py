"""Compiles a feature service to the plan from which servers and training sets answer."""

from __future__ import annotations

from collections.abc import Mapping

from feature_store.engines.numpy.empty_values import empty_values
from feature_store.model.services import FeatureService
from feature_store.model.views import FeatureView, ViewSelection
from feature_store.plans.compile_stream import compile_stream_plan
from feature_store.plans.service_plan import PlanFeature, PlanKey, PlanOutput, PlanView, ServicePlan, Value


def compile_plan(service: FeatureService) -> ServicePlan:
    """Return the plan from which servers and training sets answer for a service."""
    views = tuple(_plan_view(selection, empty_values(selection.view)) for selection in service.features)
    outputs = tuple(
        _plan_output(index, selection, name)
        for index, selection in enumerate(service.features)
        for name in selection.names
    )
    return ServicePlan(service.name, service.version, service.owner, tuple(service.readers), views, outputs)


def _plan_view(selection: ViewSelection, empty: Mapping[str, Value]) -> PlanView:
    view = selection.view
    needed = {read for name in selection.names for read in _stored_inputs(view, name)}
    return PlanView(
        view=view.full_name,
        prefix=selection.prefix,
        keys=tuple(PlanKey(key, dtype.name, selection.key_column(key)) for key, dtype in view.entity.keys.items()),
        ttl=view.ttl,
        freshness=view.freshness,
        features=tuple(
            PlanFeature(f.name, f.dtype.name, f.fingerprint, empty[f.name], f.renamed_from)
            for f in view.stored_features
            if f.name in needed
        ),
        stream=compile_stream_plan(view, needed) if view.is_stream else None,
    )


def _stored_inputs(view: FeatureView, name: str) -> tuple[str, ...]:
    feature = view.feature(name)
    return (name,) if feature.is_stored else feature.reads


def _plan_output(index: int, selection: ViewSelection, name: str) -> PlanOutput:
    feature = selection.view.feature(name)
    stored = name if feature.is_stored else next(iter(feature.reads), None)
    return PlanOutput(
        selection.output_name(name), feature.dtype.name, index, stored, feature.on_read, feature.deprecated
    )
