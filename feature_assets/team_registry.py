"""The teams: found in the folders of ``feature_assets/teams``, so that adding one changes no list."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable

from feature_store import Team


def find_teams(folders: Iterable[str]) -> dict[str, Team]:
    """Return the teams by folder name, in the order of their names.

    Importing a team's ``team`` module declares it, which makes its name known to ``owner=`` and ``readers=`` of every
    view and service.

    Args:
        folders: where the team folders lie: ``__path__`` of ``feature_assets.teams``.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(folders) if module.ispkg)
    return {name: importlib.import_module(f"feature_assets.teams.{name}.team").team for name in names}
