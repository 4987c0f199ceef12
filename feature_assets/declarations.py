"""Everything that is declared: the views and services of all teams, without Dagster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from feature_assets.team_registry import part_of
from feature_assets.teams import TEAMS
from feature_store import DefinitionError, FeatureService, FeatureView
from feature_store.model.agreement import by_name, services_by_name


@dataclass(frozen=True)
class Declarations:
    """What all teams declare.

    Attributes:
        views: feature views by full name, ``namespace/name/vN``.
        services: feature services by full name, ``name/vN``.
    """

    views: dict[str, FeatureView]
    services: dict[str, FeatureService]


def load_declarations() -> Declarations:
    """Import every team's features and services.

    Raises:
        DefinitionError: a declaration is wrong, or two have one name.
    """
    views = [view for team in TEAMS for view in part_of(team, "views")]
    services = [service for team in TEAMS for service in part_of(team, "services")]
    return collect(views, services)


def collect(views: Iterable[FeatureView], services: Iterable[FeatureService]) -> Declarations:
    """Return declarations by full name.

    Raises:
        DefinitionError: two views or two services have one full name, two entities or sources have one name and differ,
            or a service reads a view that is not listed.
    """
    declared = Declarations(by_name(views), services_by_name(services))
    for service in declared.services.values():
        for view in service.views:
            if declared.views.get(view.full_name) is not view:
                raise DefinitionError(
                    f"service {service.full_name}",
                    f"reads {view.full_name}, which no team lists",
                    "add it to `views` of its features",
                )
    return declared
