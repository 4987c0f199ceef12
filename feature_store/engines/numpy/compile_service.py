"""Compiles a feature service to the plan from which servers and training sets answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from feature_store.constants import default_json
from feature_store.engines.numpy.empty_values import empty_values
from feature_store.expressions.text import to_canonical
from feature_store.model.request_features import RequestInput, SelectedFeature, ServiceOutput
from feature_store.model.services import FeatureService
from feature_store.model.views import ViewSelection
from feature_store.plans.compile_stream import compile_stream_plan
from feature_store.plans.service_plan import (
    PlanExpression,
    PlanFeature,
    PlanInput,
    PlanKey,
    PlanOutput,
    PlanView,
    ServicePlan,
    Value,
)


def compile_plan(service: FeatureService) -> ServicePlan:
    """Return the plan from which servers and training sets answer for a service."""
    places = {selection.prefix: place for place, selection in enumerate(service.selections)}
    return ServicePlan(
        service=service.name,
        version=service.version,
        owner=service.owner,
        readers=tuple(service.readers),
        views=tuple(_plan_view(service, selection) for selection in service.selections),
        outputs=tuple(_plan_output(output, places) for output in service.outputs),
        inputs=tuple(_plan_input(name, declared) for name, declared in service.request_inputs.items()),
    )


def _plan_view(service: FeatureService, selection: ViewSelection) -> PlanView:
    view, empty = selection.view, empty_values(selection.view)
    read = [each.feature for each in service.reads if each.selection.prefix == selection.prefix]
    needed = {name for feature in read for name in ((feature.name,) if feature.is_stored else feature.reads)}
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


def _plan_output(output: ServiceOutput, places: Mapping[str, int]) -> PlanOutput | PlanExpression:
    if isinstance(output, SelectedFeature):
        return _plan_feature(output, places)
    expression = json.dumps(to_canonical(output.expression))
    reads = tuple(_plan_feature(read, places) for read in output.reads)
    return PlanExpression(output.name, output.dtype.name, expression, reads, output.inputs)


def _plan_feature(read: SelectedFeature, places: Mapping[str, int]) -> PlanOutput:
    feature = read.feature
    stored = feature.name if feature.is_stored else next(iter(feature.reads), None)
    place = places[read.selection.prefix]
    return PlanOutput(read.name, feature.dtype.name, place, stored, feature.on_read, feature.deprecated)


def _plan_input(name: str, declared: RequestInput) -> PlanInput:
    default = default_json(declared.default)
    plain = list(cast("Sequence[float]", default)) if isinstance(default, tuple) else default
    return PlanInput(name, declared.dtype.name, cast("Value", plain))
