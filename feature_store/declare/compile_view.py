"""Checks the options of a view, and has every feature of its class body checked and compiled."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from feature_store.checks import check_description, check_name, check_type, check_version, one_of
from feature_store.declare.class_body import written_features
from feature_store.declare.compile_features import compile_all
from feature_store.declare.scope import ViewScope
from feature_store.declare.stream_checks import check_stream_drafts, check_stream_source, check_stream_windows
from feature_store.errors import DefinitionError
from feature_store.model.entities import Entity
from feature_store.model.features import Feature
from feature_store.model.service_levels import Cycle, check_delay, check_freshness, check_span, check_ttl
from feature_store.model.sources import EventSource, Source, TableSource, check_start
from feature_store.model.teams import check_access
from feature_store.model.views import AssetGranularity
from feature_store.temporal.durations import DAY, HOUR, SECOND, WEEK
from feature_store.temporal.instants import EPOCH

CADENCES: Final = (HOUR, DAY, WEEK)
ASSETS: Final = ("feature", "view")
TAKEN_NAMESPACES: Final = ("raw", "online", "training", "models")
"""First parts of the asset keys of what is not a view."""


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """The options of a view as written, and the class that they decorate; see ``feature_view`` and ``stream_view``."""

    body: type
    name: str | None
    namespace: str
    version: int
    entity: Entity
    source: Source
    owner: str
    readers: Sequence[str]
    cadence: str
    available_after: str
    freshness: str
    start: datetime | None
    assets: AssetGranularity
    ttl: str | None = None
    row_ttl: str | None = None
    batch_after: str | None = None
    is_stream: bool = False

    @property
    def view_name(self) -> str:
        """The name as written, or the class's in snake case."""
        return self.name or snake_case(self.body.__name__)

    @property
    def description(self) -> str:
        """The class's docstring."""
        return inspect.cleandoc(self.body.__doc__ or "")

    @property
    def place(self) -> str:
        """How messages name the view."""
        return f"{self.namespace}/{self.view_name}/v{self.version}"


@dataclass(frozen=True)
class ViewSpans:
    """The options of a view that are spans (microseconds) and its start (UTC), checked; ``cycle`` comes of them."""

    cadence: int
    available_after: int
    freshness: int
    ttl: int | None
    row_ttl: int | None
    start: datetime
    cycle: Cycle
    batch_after: int | None


def snake_case(name: str) -> str:
    """Return a class name as a view name.

    >>> snake_case("HouseholdSpend"), snake_case("Spend7d")
    ('household_spend', 'spend7d')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def compile_options(options: ViewOptions) -> ViewSpans:
    """Check everything about a view but its features."""
    place = options.place
    _check_identity(options)
    check_description(place, options.description, "write a docstring in the class")
    check_access(place, options.owner, options.readers)
    check_type(place, "entity", options.entity, Entity, "declare Entity(...) and give that")
    check_type(
        place, "source", options.source, (EventSource, TableSource), "declare EventSource(...) or TableSource(...)"
    )
    _check_keys(options)
    cadence = check_span(place, "cadence", options.cadence)
    if cadence not in CADENCES:
        raise DefinitionError(place, f"cadence={options.cadence!r} is not supported", "use '1h', '1d' or '7d'")
    available_after = check_delay(place, "available_after", options.available_after)
    batch_after = _batch_after(options)
    cycle = Cycle(SECOND, available_after, of="1s") if options.is_stream else Cycle(cadence, available_after)
    if options.row_ttl is not None and isinstance(options.source, EventSource):
        raise DefinitionError(place, "row_ttl= is for table views", "leave it out; windows (over=) forget old events")
    return ViewSpans(
        cadence=cadence,
        available_after=available_after,
        cycle=cycle,
        freshness=check_freshness(place, options.freshness, cycle),
        ttl=None if options.ttl is None else check_ttl(place, options.ttl, cycle),
        row_ttl=None if options.row_ttl is None else check_span(place, "row_ttl", options.row_ttl),
        start=_start(options, cadence),
        batch_after=batch_after,
    )


def compile_features(options: ViewOptions, spans: ViewSpans) -> tuple[Feature, ...]:
    """Return the features of a class body in declared order, checked and fingerprinted."""
    drafts = written_features(options.place, options.entity, options.body)
    if options.is_stream:
        check_stream_drafts(options.place, drafts)
    scope = ViewScope(
        place=options.place,
        entity=options.entity,
        source=options.source,
        cadence=spans.cadence,
        cycle=spans.cycle,
        freshness=spans.freshness,
        start=spans.start,
        identity=_identity(options, spans),
        names={id(draft): name for name, draft in drafts.items()},
        drafts=drafts,
    )
    features = compile_all(scope)
    if options.is_stream:
        check_stream_windows(options.place, features.values(), spans.cadence)
    return tuple(features[name] for name in drafts)


def _identity(options: ViewOptions, spans: ViewSpans) -> object:
    identity: list[object] = [options.source.canonical(), options.entity.canonical(), spans.cadence]
    if isinstance(options.source, TableSource):
        # Where rows have a landing time, what had landed by the available-at is in the values.
        landed_within = None if options.source.landed_at is None else spans.available_after
        identity += [spans.row_ttl, landed_within]
    if options.is_stream:
        identity += ["stream", spans.available_after]
    return identity


def _check_identity(options: ViewOptions) -> None:
    place = options.place
    check_name(place, options.namespace)
    check_name(place, options.view_name)
    if options.namespace in TAKEN_NAMESPACES:
        raise DefinitionError(
            place, f"namespace={options.namespace!r} holds assets that are no views", "use another namespace"
        )
    check_version(place, options.version)
    if options.assets not in ASSETS:
        raise DefinitionError(place, f"assets={options.assets!r} is not a choice", "use 'feature' or 'view'")


def _batch_after(options: ViewOptions) -> int | None:
    if not options.is_stream:
        return None
    check_stream_source(options.place, options.source)
    return check_delay(options.place, "batch_after", options.batch_after)


def _check_keys(options: ViewOptions) -> None:
    columns = options.source.columns
    event_id = getattr(options.source, "event_id", None)
    if event_id in options.entity.keys:
        problem = f"event_id={event_id!r} of source {options.source.name} is a key of {options.entity.name}"
        raise DefinitionError(options.place, problem, "name the column that tells its events apart")
    for key, dtype in options.entity.keys.items():
        if key not in columns:
            raise DefinitionError(
                options.place,
                f"key {key!r} of {options.entity.name} is not a column of source {options.source.name}",
                f"rename the column upstream; {one_of(key, columns)}",
            )
        if columns[key] != dtype:
            raise DefinitionError(
                options.place,
                f"key {key!r} is {dtype} in entity {options.entity.name} "
                f"but {columns[key]} in source {options.source.name}",
                "cast the column upstream",
            )


def _start(options: ViewOptions, cadence: int) -> datetime:
    start = options.source.start if options.start is None else options.start
    check_start(options.place, start)
    start = start.astimezone(UTC)
    first = options.source.start
    if start < first:
        raise DefinitionError(
            options.place,
            f"start={start:%Y-%m-%d} lies before its source's, {first:%Y-%m-%d}",
            f"start at {first:%Y-%m-%d} or later",
        )
    step = timedelta(microseconds=cadence)
    return EPOCH + -(-(start - EPOCH) // step) * step
