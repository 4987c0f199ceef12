"""Everything that is declared: the views and services of all teams, without Dagster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from feature_assets.project.broken import BrokenTeam, describe
from feature_assets.project.teams import file_of, part_of, team_folders, teams_package
from feature_store import DefinitionError, FeatureService, FeatureView, Team
from feature_store.model.agreement import by_name, services_by_name
from resources.project_file import project_file

_FAILURES: Final = (Exception, SystemExit)


@dataclass(frozen=True)
class Declarations:
    """The declarations of all teams.

    Attributes:
        views: feature views by full name, ``namespace/name/vN``.
        services: feature services by full name, ``name/vN``.
        broken: what is left out, since a team's file cannot be used.
        teams: by name.
    """

    views: dict[str, FeatureView]
    services: dict[str, FeatureService]
    broken: tuple[BrokenTeam, ...] = ()
    teams: Mapping[str, Team] = field(default_factory=dict[str, Team])


def load_declarations() -> Declarations:
    """Import every team's features and services. What is broken is left out and named; the other teams go on.

    Raises:
        InputError: the project's package of teams cannot be imported.
    """
    package = teams_package()
    loading = _Loading(package.__name__)
    folders = team_folders(package.__path__)
    teams = {folder: team for folder in folders if (team := loading.part(folder, "team")) is not None}
    for part in ("views", "services"):  # views of all teams first: services read those of others
        for folder in teams:
            loading.add(folder, part)
    return replace(loading.declared, teams=teams)


class _Loading:
    """The declarations so far."""

    def __init__(self, package: str) -> None:
        self._package = package
        self.declared = Declarations({}, {})

    def part(self, folder: str, name: str) -> Any:
        """Return what a team folder defines; None, and note down why, if it cannot be used."""
        try:
            return part_of(self._package, folder, name)
        except _FAILURES as error:
            self._leave_out(folder, name, error)
            return None

    def add(self, folder: str, part: str) -> None:
        """Add the views or services of a team, unless they do not agree with those of the others."""
        given: Sequence[Any] | None = self.part(folder, part)
        if given is None:
            return
        before = self.declared
        views = [*before.views.values(), *(given if part == "views" else ())]
        services = [*before.services.values(), *(given if part == "services" else ())]
        try:
            together = collect(views, services)
        except _FAILURES as error:
            self._leave_out(folder, part, error)
            return
        self.declared = Declarations(together.views, together.services, before.broken)

    def _leave_out(self, folder: str, part: str, error: BaseException) -> None:
        problem = describe(error, file_of(self._package, folder, part), project_file().root)
        if any((each.team, each.problem) == (folder, problem) for each in self.declared.broken):
            return  # its services read its views, and fail likewise
        broken = (*self.declared.broken, BrokenTeam(folder, part, problem))
        self.declared = Declarations(self.declared.views, self.declared.services, broken)


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
