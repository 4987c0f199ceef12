"""``catalog roles``: the SQL after which a team's role in PostgreSQL changes what its team owns, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from feature_assets.cli.output import print_line
from feature_assets.project.recorded import recorded_definitions
from feature_store.catalog.database import is_postgres
from feature_store.catalog.roles import roles_script
from feature_store.errors import InputError
from resources.settings import Settings


def print_roles(teams: Sequence[str]) -> None:
    """Print the script for all teams of the catalog.

    Args:
        teams: more teams, which nothing was applied for yet.

    Raises:
        InputError: the catalog does not lie in PostgreSQL.
        DefinitionError: a name cannot be that of a team.
    """
    settings = Settings.from_environment()
    if not is_postgres(settings.catalog_url):
        raise InputError("the catalog lies in SQLite, which has no roles: set FEATURES_CATALOG to one in PostgreSQL")
    recorded = {each.owner for each in recorded_definitions(settings)}
    print_line(roles_script({*recorded, *teams}))
