"""An organisation's declarations, made up: views of 20 features each, over many teams, and services that read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from feature_assets.project import Declarations
from feature_store import (
    Entity,
    EventSource,
    FeatureService,
    FeatureView,
    Float64,
    Int64,
    Team,
    Timestamp,
    col,
    count,
    feature_view,
    last,
    mean,
    ratio,
    sum_,
)

FEATURES = 20
"""Features of a view."""

_START = datetime(2026, 1, 1, tzinfo=UTC)
_SUBJECTS = ("spend", "visits", "returns", "clicks", "orders", "refunds", "calls", "trips", "logins", "claims")
_THINGS = ("household", "store", "item", "card", "driver", "merchant", "device", "route", "policy", "account")
_ADJECTIVES = ("recent", "weekly", "online", "mobile", "regional", "evening", "loyal", "late", "large", "new")
_WINDOWS = ("1d", "3d", "7d", "14d", "28d")
_COLUMNS = ("amount", "quantity", "distance")


@dataclass(frozen=True)
class Organisation:
    """How much is declared.

    Attributes:
        views: feature views, each of ``FEATURES`` features.
        teams: that own them, in turn.
    """

    views: int = 500
    teams: int = 50


def declare(size: Organisation) -> Declarations:
    """Declare it all; the same every time."""
    rng = Random(0)
    teams = {f"team{number:02}": _team(number) for number in range(size.teams)}
    entities = [_entity(thing) for thing in _THINGS]
    sources = [_source(thing) for thing in _THINGS]
    views = [
        _view(number, list(teams)[number % size.teams], entities[number % 10], sources[number % 10], rng)
        for number in range(size.views)
    ]
    services = [_service(number, owner, views, rng) for number, owner in enumerate(teams)]
    return Declarations(
        {view.full_name: view for view in views}, {each.full_name: each for each in services}, (), teams
    )


def by_team(declarations: Declarations) -> Iterator[tuple[list[FeatureView], list[FeatureService]]]:
    """Yield the views and services of each team."""
    for team in declarations.teams:
        views = [view for view in declarations.views.values() if view.owner == team]
        yield views, [each for each in declarations.services.values() if each.owner == team]


def _team(number: int) -> Team:
    return Team(f"team{number:02}", slack_channel=f"#team{number:02}", email=f"team{number:02}@example.com")


def _entity(thing: str) -> Entity:
    return Entity(thing, keys={f"{thing}_id": Int64}, description=f"A {thing}")


def _source(thing: str) -> EventSource:
    columns = {f"{thing}_id": Int64, "at": Timestamp, **dict.fromkeys(_COLUMNS, Float64)}
    return EventSource(
        f"{thing}_events",
        asset=f"raw/{thing}_events",
        event_time="at",
        columns=columns,
        start=_START,
        description=f"What happens to a {thing}",
    )


def _view(number: int, owner: str, entity: Entity, source: EventSource, rng: Random) -> FeatureView:
    subject, adjective = _SUBJECTS[number // 10 % 10], _ADJECTIVES[number // 100 % 10]
    threshold = rng.random()
    features: dict[str, object] = {}
    for window in _WINDOWS:
        amount = col("amount") * threshold
        features[f"{subject}_{window}"] = sum_(amount, over=window, description=f"Total {subject}, last {window}")
        features[f"{subject}_count_{window}"] = count(over=window, description=f"Number of {subject}, last {window}")
        quantity = mean(col("quantity"), over=window, description=f"Mean quantity of {subject}, last {window}")
        features[f"mean_quantity_{window}"] = quantity
    features["last_at"] = last(col("at"), over="28d", description=f"When {subject} happened last")
    features["furthest"] = sum_(col("distance"), over="28d", description="Distance, last 28 days")
    for short, long in (("1d", "7d"), ("7d", "28d"), ("3d", "14d")):
        numerator, denominator = features[f"{subject}_{short}"], features[f"{subject}_{long}"]
        trend = ratio(numerator, denominator, description=f"Share of {long} that is of {short}")  # pyright: ignore[reportArgumentType]
        features[f"trend_{short}_{long}"] = trend
    name = f"{adjective}_{entity.name}_{subject}_{number}"
    body = type(name, (), {"__doc__": f"How {adjective} {subject} of a {entity.name} develop.", **features})
    declared = feature_view(
        entity=entity,
        source=source,
        namespace="org",
        name=name,
        version=1,
        owner=owner,
        readers=["everyone"],
        cadence="1d",
        available_after="2h",
        freshness="27h",
    )
    return declared(body)


def _service(number: int, owner: str, views: list[FeatureView], rng: Random) -> FeatureService:
    selected = rng.sample(views, min(12, len(views)))
    same = [view for view in selected if view.entity is selected[0].entity]
    return FeatureService(f"model{number:02}", 1, owner, f"What model {number} reads", [view.all() for view in same])
