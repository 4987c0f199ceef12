"""Definitions as commands that only look know them: the catalog's; before the first apply, what is declared."""

from __future__ import annotations

from datetime import datetime

from feature_assets.cli.declared import declared
from feature_assets.cli.times import parse_start
from feature_assets.project.recorded import definitions_by_team, opened_catalog
from feature_store.catalog.database import may_exist
from feature_store.catalog.documents import Definition
from resources.settings import Settings


def known_definitions(at: str | None = None) -> list[Definition]:
    """Return everything that the catalog records; before the first apply, what the project declares.

    Args:
        at: as of a revision (``12``) or an instant (``2026-11-01``, ``2026-11-01T12:00Z``) of the catalog; None: now.

    Raises:
        InputError: it is neither, or there is no such revision.
    """
    settings = Settings.from_environment()
    asked = None if at is None else _moment(at)
    if asked is not None or may_exist(settings.catalog_url):
        with opened_catalog(settings) as catalog:
            if asked is not None:
                return catalog.definitions(asked)
            revision, definitions = catalog.snapshot()
        if revision:
            return definitions
    return [each for definitions in definitions_by_team(declared()).values() for each in definitions]


def _moment(text: str) -> int | datetime:
    return int(text) if text.isascii() and text.isdigit() else parse_start(text, "--at")
