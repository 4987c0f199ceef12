"""The teams: found in the folders of ``feature_assets/teams``, so that adding one changes no list."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from typing import Any, Final

from feature_store import DefinitionError, Team

_FOLDER: Final = "feature_assets.teams"
_PARTS: Final = {
    "team": ("team.py", "team = Team(..., slack_channel=..., email=...)"),
    "views": ("features/__init__.py", "views = (...)"),
    "services": ("services.py", "services = (...)"),
}
"""What a team folder holds, by the name that its file defines."""


def find_teams(folders: Iterable[str]) -> dict[str, Team]:
    """Return the teams by folder name, in the order of their names.

    Importing a team's ``team`` module declares it, which makes its name known to ``owner=`` and ``readers=`` of every
    view and service.

    Args:
        folders: where the team folders lie: ``__path__`` of ``feature_assets.teams``.

    Raises:
        DefinitionError: a folder has no ``team.py``, or its team is called otherwise.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(folders) if module.ispkg)
    return {name: _team(name) for name in names}


def part_of(folder: str, name: str) -> Any:
    """Return what a team folder defines: its ``team``, ``views`` or ``services``.

    Raises:
        DefinitionError: the file is not there, or does not define it.
    """
    file, instead = _PARTS[name]
    module = f"{_FOLDER}.{folder}.{file.removesuffix('.py').removesuffix('/__init__')}"
    path = f"{_FOLDER.replace('.', '/')}/{folder}/{file}"
    if importlib.util.find_spec(module) is None:
        raise DefinitionError(f"team {folder}", f"has no file {path}", f"write one that says {instead}")
    defined = importlib.import_module(module)
    if not hasattr(defined, name):
        raise DefinitionError(path, f"defines no {name!r}", f"write {instead}")
    return getattr(defined, name)


def _team(folder: str) -> Team:
    team = part_of(folder, "team")
    if team.name != folder:
        problem = f"its folder and its team are called differently, {folder!r} and {team.name!r}"
        raise DefinitionError(f"team {folder}", problem, "give both one name")
    return team
