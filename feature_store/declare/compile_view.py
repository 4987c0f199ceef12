"""Checks the options of a view, and has every feature of its class body checked and compiled."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from feature_store.checks.calls import check_given
from feature_store.checks.declared import (
    check_deprecated,
    check_description,
    check_name,
    check_type,
    check_version,
    one_of,
)
from feature_store.declare.class_body import written_features
from feature_store.declare.compile_features import compile_all
from feature_store.declare.scope import ViewScope
from feature_store.declare.stream_checks import check_stream_drafts, check_stream_source, check_stream_windows
from feature_store.errors import DefinitionError
from feature_store.model.entities import Entity
from feature_store.model.features import Feature
from feature_store.model.service_levels import Cycle, check_delay, check_freshness, check_span, check_ttl
from feature_store.model.sources import (
    EventSource,
    Source,
    TableSource,
    check_start,
    check_start_of_partition,
    key_column,
)
from feature_store.model.teams import check_access
from feature_store.model.views import FeatureView
from feature_store.temporal.durations import DAY, HOUR, SECOND, WEEK, format_duration

CADENCES: Final = (HOUR, DAY, WEEK)
ASSETS: Final = ("feature", "view")
TAKEN_NAMESPACES: Final = ("raw", "online", "training", "models")
"""First parts of the asset keys of what is not a view."""
_OPTIONAL: Final[Mapping[str, Any]] = {
    "available_after": "0s",
    "ttl": None,
    "row_ttl": None,
    "readers": (),
    "start": None,
    "name": None,
    "assets": "feature",
    "deprecated": None,
}
"""The values of options that are not given."""


def snake_case(name: str) -> str:
    """Return a class name as a view name.

    >>> snake_case("HouseholdSpend"), snake_case("Spend7d")
    ('household_spend', 'spend7d')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def compile_view(body: object, function: str, options: Mapping[str, Any], known: type) -> FeatureView:
    """Return the view that a class declares.

    Args:
        body: what is decorated.
        function: by which function.
        options: as written.
        known: the ``TypedDict`` of all options that there are.
    """
    checked = _check_class(body)
    check_given(f"feature view {checked.__name__}", function, options, known)
    view, cycle = _without_features(checked, options)
    return replace(view, features=_features(view, cycle, checked))


def _check_class(body: object) -> type:
    where = f"feature view {getattr(body, '__name__', repr(body))}"
    if not isinstance(body, type):
        raise DefinitionError(where, "is not a class", "decorate a class whose attributes are its features")
    if body.__bases__ != (object,):
        bases = ", ".join(base.__name__ for base in body.__bases__)
        raise DefinitionError(where, f"inherits from {bases}, whose features are not read", "declare them in the class")
    return body


def _without_features(body: type, options: Mapping[str, Any]) -> tuple[FeatureView, Cycle]:
    """Return a view with everything checked but its features, of which it has none yet; and how old its values get."""
    given = {**_OPTIONAL, **options}
    name = given["name"] or snake_case(body.__name__)
    place = f"{given['namespace']}/{name}/v{given['version']}"
    entity, source, is_stream = given["entity"], given["source"], "batch_after" in options
    _check_identity(place, name, given)
    description = inspect.cleandoc(body.__doc__ or "")
    check_description(place, description, "write a docstring in the class")
    check_access(place, given["owner"], given["readers"])
    check_type(place, "entity", entity, Entity, "declare Entity(...) and give that")
    check_type(place, "source", source, (EventSource, TableSource), "declare EventSource(...) or TableSource(...)")
    _check_keys(place, entity, source)
    cadence = check_span(place, "cadence", given["cadence"])
    if cadence not in CADENCES:
        raise DefinitionError(place, f"cadence={given['cadence']!r} is not supported", "use '1h', '1d' or '7d'")
    available_after = check_delay(place, "available_after", given["available_after"])
    batch_after = None
    if is_stream:
        check_stream_source(place, source)
        batch_after = check_delay(place, "batch_after", given["batch_after"])
    cycle = Cycle(SECOND, available_after, of="1s") if is_stream else Cycle(cadence, available_after)
    if given["row_ttl"] is not None and isinstance(source, EventSource):
        raise DefinitionError(place, "row_ttl= is for table views", "leave it out; windows (over=) forget old events")
    freshness = None if given["freshness"] is None else check_freshness(place, given["freshness"], cycle)
    view = FeatureView(
        namespace=given["namespace"],
        name=name,
        version=given["version"],
        description=description,
        entity=entity,
        source=source,
        owner=given["owner"],
        readers=tuple(given["readers"]),
        cadence=cadence,
        available_after=available_after,
        freshness=freshness,
        ttl=None if given["ttl"] is None else check_ttl(place, given["ttl"], cycle),
        row_ttl=None if given["row_ttl"] is None else check_span(place, "row_ttl", given["row_ttl"]),
        start=_start(place, source, given["start"], cadence),
        assets=given["assets"],
        features=(),
        batch_after=batch_after,
        deprecated=None if given["deprecated"] is None else check_deprecated(place, given["deprecated"]),
    )
    return view, cycle


def _features(view: FeatureView, cycle: Cycle, body: type) -> tuple[Feature, ...]:
    """Return the features of a class body in declared order, checked and fingerprinted."""
    place = view.full_name
    drafts = written_features(place, view.entity, body)
    if view.is_stream:
        check_stream_drafts(place, drafts)
    scope = ViewScope(
        place=place,
        entity=view.entity,
        source=view.source,
        cadence=view.cadence,
        cycle=cycle,
        freshness=view.freshness,
        start=view.start,
        identity=_identity(view),
        deprecated=view.deprecated,
        names={id(draft): name for name, draft in drafts.items()},
        drafts=drafts,
    )
    features = compile_all(scope)
    if view.is_stream:
        check_stream_windows(place, features.values(), view.cadence)
    _check_expiry(view, features.values())
    return tuple(features[name] for name in drafts)


def _identity(view: FeatureView) -> object:
    identity = [*view.identity, view.cadence]
    if isinstance(view.source, TableSource):
        # Where rows have a landing time, what had landed by the available-at is in the values.
        landed_within = None if view.source.landed_at is None else view.available_after
        identity += [view.row_ttl, landed_within]
    if view.is_stream:
        identity += ["stream", view.available_after]
    return identity


def _check_expiry(view: FeatureView, features: Iterable[Feature]) -> None:
    """Refuse values that expire while they are as fresh as promised."""
    if view.ttl is None:
        return
    promised = {view.full_name: view.freshness} | {f"{view.full_name}.{f.name}": f.freshness for f in features}
    for place, freshness in promised.items():
        if freshness is not None and view.ttl < freshness:
            ttl, sla = format_duration(view.ttl), format_duration(freshness)
            raise DefinitionError(
                place,
                f"ttl='{ttl}' is below freshness='{sla}': values expire before anybody hears that they are late",
                f"use a ttl of at least '{sla}', or a shorter freshness",
            )


def _check_identity(place: str, name: object, given: Mapping[str, Any]) -> None:
    check_name(place, given["namespace"])
    check_name(place, name)
    if given["namespace"] in TAKEN_NAMESPACES:
        problem = f"namespace={given['namespace']!r} holds assets that are no views"
        raise DefinitionError(place, problem, "use another namespace")
    check_version(place, given["version"])
    if given["assets"] not in ASSETS:
        raise DefinitionError(place, f"assets={given['assets']!r} is not a choice", "use 'feature' or 'view'")


def _check_keys(place: str, entity: Entity, source: Source) -> None:
    columns = source.columns
    event_id = getattr(source, "event_id", None)
    if event_id is not None and event_id in {key_column(source, key) for key in entity.keys}:
        problem = f"event_id={event_id!r} of source {source.name} is a key of {entity.name}"
        raise DefinitionError(place, problem, "name the column that tells its events apart")
    for key, dtype in entity.keys.items():
        column = key_column(source, key)
        if column not in columns:
            raise DefinitionError(
                place,
                f"key {key!r} of {entity.name} is not a column of source {source.name}",
                f"name the column that holds it in the source, keys={{{key!r}: '...'}}; {one_of(key, columns)}",
            )
        if columns[column] != dtype:
            raise DefinitionError(
                place,
                f"key {key!r} is {dtype} in entity {entity.name} but {columns[column]} in source {source.name}",
                "cast the column upstream",
            )


def _start(place: str, source: Source, given: datetime | None, cadence: int) -> datetime:
    start = source.start if given is None else given
    check_start(place, start)
    start = start.astimezone(UTC)
    first = source.start
    if start < first:
        raise DefinitionError(
            place,
            f"start={start:%Y-%m-%d} lies before its source's, {first:%Y-%m-%d}",
            f"start at {first:%Y-%m-%d} or later",
        )
    check_start_of_partition(place, start, cadence, whose="" if given is not None else f" of source {source.name}")
    return start
