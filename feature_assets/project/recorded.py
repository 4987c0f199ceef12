"""What the catalog records of the project: opened, asked and written as its settings say."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from feature_assets.project.declarations import Declarations
from feature_store.catalog.changes import Change
from feature_store.catalog.database import may_exist
from feature_store.catalog.documents import Definition, definitions_of
from feature_store.catalog.store import Catalog
from feature_store.errors import InputError
from feature_store.plans.plan_revisions import CurrentPlans, publish_plans
from resources.settings import Settings, user


@dataclass(frozen=True)
class ApplyOptions:
    """How declarations are applied; see ``Catalog.apply``.

    Attributes:
        planned_at, allow_redefined, retire: as there.
        teams: only these teams' declarations; empty: those of all.
    """

    planned_at: int | None = None
    allow_redefined: bool = False
    retire: Collection[str] = ()
    teams: Collection[str] = ()


@dataclass(frozen=True)
class AppliedDeclarations:
    """What applying the project's declarations did.

    Attributes:
        revision: the catalog's newest.
        changes: what was recorded with it; empty: nothing differed.
        undeclared: services that are declared no more and are still served.
        plans: what servers read now.
    """

    revision: int
    changes: tuple[Change, ...]
    undeclared: tuple[str, ...]
    plans: CurrentPlans


@contextmanager
def opened_catalog(settings: Settings) -> Generator[Catalog]:
    """The project's catalog, or its layer of the branch; closed again in the end."""
    catalog = Catalog(settings.catalog_url, settings.branch or None)
    try:
        yield catalog
    finally:
        catalog.close()


def recorded_definitions(settings: Settings) -> list[Definition]:
    """Return everything that the catalog records; nothing if there is none yet."""
    if not may_exist(settings.catalog_url):
        return []
    with opened_catalog(settings) as catalog:
        return catalog.definitions()


def newest_revision(settings: Settings) -> int:
    """Return the catalog's newest revision; 0: nothing was applied yet."""
    if not may_exist(settings.catalog_url):
        return 0
    with opened_catalog(settings) as catalog:
        return catalog.revision()


def definitions_by_team(declarations: Declarations, teams: Collection[str] = ()) -> dict[str, list[Definition]]:
    """Return what each team declares; a team that is broken is left out, so that what is recorded of it stays.

    Args:
        declarations: of the project.
        teams: only these; empty: all.

    Raises:
        InputError: the project has no team of a name.
    """
    for team in teams:
        if team not in declarations.teams:
            raise InputError(f"the project has no team {team!r}: there are {', '.join(declarations.teams) or 'none'}")
    broken = {each.team for each in declarations.broken}
    declared = (declarations.teams.values(), declarations.views.values(), declarations.services.values())
    by_team: dict[str, list[Definition]] = {name: [] for name in declarations.teams if name not in broken}
    for each in definitions_of(*declared):
        if each.owner not in broken:
            by_team.setdefault(each.owner, []).append(each)
    return {team: of_it for team, of_it in by_team.items() if not teams or team in teams}


def apply_declarations(
    settings: Settings, declarations: Declarations, options: ApplyOptions | None = None
) -> AppliedDeclarations:
    """Record what the project declares, and give servers the plans that follow from it.

    Args:
        settings: say where catalog and plans lie.
        declarations: of the whole project.
        options: how; None: as ``ApplyOptions`` says by itself.

    Raises:
        RefusedError, ConflictError, OwnershipError, InputError: see ``Catalog.apply``; nothing was changed.
    """
    from resources.branch import begin_branch  # noqa: PLC0415 - who only looks things up needs no tables

    chosen = options or ApplyOptions()
    declared = definitions_by_team(declarations, chosen.teams)
    begin_branch(settings)
    now = settings.fixed_now or datetime.now(UTC)
    with opened_catalog(settings) as catalog:
        # On a branch nobody is served, and what a name means may change.
        redefined = chosen.allow_redefined or bool(settings.branch)
        how = {"planned_at": chosen.planned_at, "allow_redefined": redefined, "retire": chosen.retire}
        applied = catalog.apply(declared, by=user(), now=now, **how)
        plans = sync_plans(settings, catalog)
    return AppliedDeclarations(applied.revision, applied.changes, applied.undeclared, plans)


def sync_plans(settings: Settings, catalog: Catalog) -> CurrentPlans:
    """Give servers the plans of the catalog's newest revision; return what they read then.

    Raises:
        StorageError: they cannot be written.
        InputError: those that are there follow from another catalog.
        UnknownBranchError: the branch did not begin, or is being dropped.
    """
    if settings.branch:
        catalog.branch(settings.branch)
    revision, definitions = catalog.snapshot()
    services = [each for each in definitions if each.kind == "service"]
    texts = {f"{each.name.replace('/', '.')}.json": each.document["plan"] for each in services}
    current = publish_plans(settings.plans, revision, texts)
    if (current.revision or 0) > catalog.revision():
        raise InputError(
            f"{settings.plans} holds plans of revision {current.revision}, but the catalog is at {revision}: it is not "
            "the one that they follow from. Restore its backup, or delete that folder and run `features plans sync`"
        )
    return current
