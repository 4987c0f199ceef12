"""Documents: what the catalog records of each declared thing, as JSON, without the code that declared it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, cast

from feature_store.catalog.columns import source_columns
from feature_store.constants import default_json
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.expressions.text import to_canonical
from feature_store.model.features import Feature
from feature_store.model.request_features import RequestInput, SelectedFeature, ServiceOutput
from feature_store.model.services import FeatureService
from feature_store.model.sources import EventSource
from feature_store.model.teams import Team
from feature_store.model.views import FeatureView
from feature_store.plans.service_fingerprints import output_fingerprints
from feature_store.plans.service_plan import ServicePlan
from feature_store.temporal.durations import format_duration

Document = dict[str, Any]
Kind = Literal["team", "view", "service"]

KINDS: Final[tuple[Kind, ...]] = ("team", "view", "service")


@dataclass(frozen=True)
class Definition:
    """One declared thing at one time.

    Attributes:
        kind: ``team``, ``view`` or ``service``. Features, entities and sources stand in the documents of views.
        name: unique among its kind: ``growth``, ``retail/household_spend/v1``, ``churn/v1``.
        owner: the team that may change it.
        document: what is declared, JSON values only.
    """

    kind: Kind
    name: str
    owner: str
    document: Document

    @cached_property
    def digest(self) -> str:
        """Hash of the document: equal for equal documents, whatever the order of their fields."""
        return hashlib.blake2b(self.text.encode(), digest_size=16).hexdigest()

    @cached_property
    def text(self) -> str:
        """The document as JSON text."""
        return json.dumps(self.document, sort_keys=True, ensure_ascii=False)


def definitions_of(
    teams: Iterable[Team], views: Iterable[FeatureView], services: Iterable[FeatureService]
) -> list[Definition]:
    """Return what the catalog records of some declarations."""
    return [
        *(Definition("team", team.name, team.name, _plain(team_document(team))) for team in teams),
        *(Definition("view", view.full_name, view.owner, _plain(view_document(view))) for view in views),
        *(Definition("service", each.full_name, each.owner, _plain(service_document(each))) for each in services),
    ]


def team_document(team: Team) -> Document:
    """Return the document of a team."""
    return {"name": team.name, "slack_channel": team.slack_channel, "email": team.email}


def view_document(view: FeatureView) -> Document:
    """Return the document of a view, which holds those of its entity, its source and its features."""
    return {
        "name": view.full_name,
        "namespace": view.namespace,
        "view": view.name,
        "version": view.version,
        "description": view.description,
        "owner": view.owner,
        "readers": list(view.readers),
        "view_kind": "stream" if view.is_stream else "table" if view.is_table else "cadence",
        "cadence": format_duration(view.cadence),
        "available_after": format_duration(view.available_after),
        "batch_after": _span(view.batch_after),
        "freshness": _span(view.freshness),
        "ttl": _span(view.ttl),
        "row_ttl": _span(view.row_ttl),
        "start": view.start.isoformat(),
        "assets": view.assets,
        "deprecated": view.deprecated,
        "entity": {
            "name": view.entity.name,
            "keys": {key: dtype.name for key, dtype in view.entity.keys.items()},
            "description": view.entity.description,
        },
        "source": _source(view),
        "features": [_feature(view, feature) for feature in view],
    }


def service_document(service: FeatureService) -> Document:
    """Return the document of a service; ``plan`` is the text of its plan file, as servers read it."""
    plan = compile_plan(service)
    return {
        "name": service.full_name,
        "service": service.name,
        "version": service.version,
        "description": service.description,
        "owner": service.owner,
        "readers": list(service.readers),
        "keys": {column: dtype.name for column, dtype in service.keys.items()},
        "inputs": {name: _input(declared) for name, declared in service.request_inputs.items()},
        "outputs": [_output(plan, output) for output in service.outputs],
        "plan": plan.to_json(),
    }


def _output(plan: ServicePlan, output: ServiceOutput) -> Document:
    """Return an output: a feature of a view; or one computed from several, whose ``view`` and ``feature`` are null."""
    if isinstance(output, SelectedFeature):
        own = {
            "view": output.selection.view.full_name,
            "feature": output.feature.name,
            "fingerprint": output.feature.fingerprint,
        }
        return {"name": output.name, "dtype": output.dtype.name, **own}
    return {
        "name": output.name,
        "dtype": output.dtype.name,
        "view": None,
        "feature": None,
        "fingerprint": output_fingerprints(plan)[output.name],
        "description": output.description,
        "logic": output.logic,
        "reads": [[read.selection.view.full_name, read.feature.name] for read in output.reads],
    }


def features_read(service: Document) -> list[tuple[str, str]]:
    """Return the features that a recorded service gives or computes from, each by its view's name and its own."""
    reads = [
        (view, feature)
        for output in service.get("outputs", ())
        for view, feature in output.get("reads", [[output["view"], output["feature"]]])
    ]
    return list(dict.fromkeys(reads))


def _input(declared: RequestInput) -> Document:
    default = default_json(declared.default)
    return {"dtype": declared.dtype.name, "default": default, "description": declared.description}


def _plain(document: Document) -> Document:
    """Return a document as it is after a way through JSON, so that stored and declared ones compare as equal."""
    return json.loads(json.dumps(document))


def _source(view: FeatureView) -> Document:
    source = view.source
    is_events = isinstance(source, EventSource)
    return {
        "name": source.name,
        "kind": "events" if is_events else "table",
        "asset": source.asset,
        "time": source.event_time if is_events else source.time,
        "columns": {column: dtype.name for column, dtype in source.columns.items()},
        "description": source.description,
    }


def _feature(view: FeatureView, feature: Feature) -> Document:
    aggregation = feature.aggregation
    window = None if aggregation is None or aggregation.window is None else aggregation.window
    return {
        "name": feature.name,
        "dtype": feature.dtype.name,
        "kind": feature.kind,
        "description": feature.description,
        "logic": feature.logic,
        "over": None if window is None else format_duration(window.over),
        "hop": None if window is None else format_duration(window.hop),
        "meaning": _meaning(feature),
        "columns": source_columns(view, feature),
        "reads": list(feature.reads),
        "default": default_json(feature.default),
        "freshness": _span(feature.freshness),
        "stored": feature.is_stored,
        "fingerprint": feature.fingerprint,
        "renamed_from": feature.renamed_from,
        "deprecated": feature.deprecated,
    }


def _meaning(feature: Feature) -> object:
    """Return the logic as canonical JSON, windows left out: equal for features that differ in their window alone."""
    if feature.aggregation is not None:
        kind, value, _window, *rest = cast("list[object]", feature.aggregation.canonical())
        return [kind, value, *rest]
    return [feature.on_read, None if feature.expression is None else to_canonical(feature.expression)]


def _span(microseconds: int | None) -> str | None:
    return None if microseconds is None else format_duration(microseconds)
