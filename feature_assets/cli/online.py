"""``get`` and ``restore``: values from the online store, as a model reads them, and of which snapshot they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from feature_assets.cli.declared import declared
from feature_assets.cli.inputs import parse_inputs
from feature_assets.cli.keys import parse_keys
from feature_assets.cli.names import find_servable, find_view
from feature_assets.cli.output import print_fields, print_json, print_line, print_table, text
from feature_assets.cli.plan_folder import applied_plan, find_plan
from feature_assets.cli.times import parse_time
from feature_assets.project.clock import now
from feature_store import FeatureService, FeatureView
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.plans.service_plan import ServicePlan, write_plan
from feature_store.temporal.instants import iso_instant
from resources.online import running_url
from resources.settings import Settings
from serving.client import FeatureClient
from serving.read.values import json_values
from serving.read.vectors import FeatureVectors
from serving.stores.open_store import open_loader


def get(name: str, key_texts: Sequence[str], at: str | None, input_texts: Sequence[str] = (), *, as_json: bool) -> None:
    """Print the features of some entities at a time: those of a service by its applied plan, or all of a view.

    Of a service the plan is enough: it is read even while a team's files are broken.

    Args:
        name: of the service or view.
        key_texts: ``column=value`` of the entities.
        at: T; None: now.
        input_texts: ``name=value`` of the inputs.
        as_json: print JSON.
    """
    settings = Settings.from_environment()
    plan = find_plan(settings.plans, name) or _plan_of_declared(settings, name)
    keys = parse_keys(key_texts, plan.keys)
    inputs = parse_inputs(input_texts, plan, max(map(len, keys.values())))
    vectors = read(plan, running_url(settings), keys, now() if at is None else parse_time(at), inputs)
    if as_json:
        print_json(record(vectors))
    else:
        print_vectors(vectors)


def restore(name: str, *, undo: bool, as_json: bool) -> None:
    """Serve the generation of a view before the served one, and print what is served and rejected now.

    Args:
        name: of the view.
        undo: let the next load bring back what was rejected, instead.
        as_json: print JSON.
    """
    view = find_view(declared(), name)
    with closing(open_loader(running_url(Settings.from_environment()))) as writer:
        if undo:
            as_ofs = sorted(as_of for as_of, _ in writer.accept(view.full_name))
            report = {"view": view.full_name, "rejected no more": list(map(iso_instant, as_ofs))}
        else:
            restored = writer.restore(view.full_name)
            rejected = [iso_instant(each.as_of) for each in restored.rejected]
            report = {"view": view.full_name, "served": iso_instant(restored.served.as_of), "rejected": rejected}
    if as_json:
        print_json(report)
    else:
        print_fields(report)


def _plan_of_declared(settings: Settings, name: str) -> ServicePlan:
    found = find_servable(declared(), name)
    if isinstance(found, FeatureService):
        return applied_plan(settings.plans, found)
    return compile_plan(service_of_view(found))


def service_of_view(view: FeatureView) -> FeatureService:
    """Return a service that reads a whole view."""
    return FeatureService(view.name, view.version, view.owner, view.description, [view.all()])


def read(
    plan: ServicePlan,
    url: str,
    keys: dict[str, list[int | str]],
    time: datetime,
    inputs: Mapping[str, Sequence[Any]] | None = None,
) -> FeatureVectors:
    """Read the features of a plan at T."""
    with TemporaryDirectory() as folder:
        write_plan(Path(folder), plan)
        with FeatureClient(folder, url) as client:
            return client.get_features(plan.full_name, keys, inputs=inputs, time=time)


def record(vectors: FeatureVectors) -> dict[str, Any]:
    """Return an answer as the HTTP server gives it, with the status in words."""
    return {
        "service": vectors.service,
        "version": vectors.version,
        "time": iso_instant(vectors.time),
        "as_of": vectors.as_of_text(),
        "keys": vectors.keys,
        "features": {name: json_values(column, vectors.dtypes[name]) for name, column in vectors.columns.items()},
        "status": {name: vectors.status_names(name) for name in vectors.columns},
    }


def print_vectors(vectors: FeatureVectors) -> None:
    """Print a column per entity and a row per feature; values that are not PRESENT are followed by their status."""
    answer = record(vectors)
    print_fields({"service": f"{vectors.service}/v{vectors.version}", "T": answer["time"], "as of": _as_of(answer)})
    print_line()
    entities = [", ".join(str(value) for value in key) for key in zip(*vectors.keys.values(), strict=True)]
    rows = [
        [name, *(_cell(*cell) for cell in zip(values, answer["status"][name], strict=True))]
        for name, values in answer["features"].items()
    ]
    print_table([", ".join(vectors.keys), *entities], rows, by_column=True)


def _as_of(answer: dict[str, Any]) -> str:
    return "\n".join(f"{prefix}: {as_of or 'nothing loaded'}" for prefix, as_of in answer["as_of"].items())


def _cell(value: object, status: str) -> str:
    shown = f"[{text(value)}]" if isinstance(value, list) else text(value)
    return shown if status == "PRESENT" else f"{shown} ({status})"
