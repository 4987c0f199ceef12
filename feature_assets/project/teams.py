"""The teams of the project: found in the folders of its package of teams, so that adding one changes no list."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any, Final

from feature_store import DefinitionError, Team
from feature_store.errors import InputError
from resources.project_file import project_file

_PARTS: Final = {
    "team": ("team.py", "team = Team(..., slack_channel=..., email=...)"),
    "views": ("features/__init__.py", "views = (...)"),
    "services": ("services.py", "services = (...)"),
}
"""The parts of a team folder, by the name that its file defines."""

_FAILURES: Final = (Exception, SystemExit)
"""The exceptions that a broken file of a team may raise, without being more than one broken team."""


def import_of_project(module: str) -> ModuleType:
    """Import a module of the project, whose folder need not be installed."""
    root = str(project_file().root)
    if root not in sys.path:
        sys.path.insert(0, root)
        importlib.invalidate_caches()
    return importlib.import_module(module)


def teams_package() -> ModuleType:
    """Return the package that holds the project's teams.

    Raises:
        InputError: there is none of that name.
    """
    project = project_file()
    try:
        return import_of_project(project.teams)
    except ModuleNotFoundError as error:
        where = f"{project.root / 'pyproject.toml'}: teams = {project.teams!r}"
        raise InputError(f"{where} cannot be imported: {error}. It is a package in {project.root}") from error


def team_folders(folders: Iterable[str]) -> list[str]:
    """Return the names of the team folders, in order.

    Args:
        folders: where they lie: ``__path__`` of the package.
    """
    return sorted(module.name for module in pkgutil.iter_modules(folders) if module.ispkg)


def declare_teams(package: str, folders: Iterable[str]) -> dict[str, Team]:
    """Return the teams by folder name; called in the package's ``__init__``, as ``declare_teams(__name__, __path__)``.

    Importing a team's ``team`` module declares it, which makes its name known to ``owner=`` and ``readers=`` of every
    view and service. A team that cannot be declared is left out: ``load_declarations`` says why, and the others go on.

    Args:
        package: holds the folders.
        folders: its ``__path__``.
    """
    declared: dict[str, Team] = {}
    for name in team_folders(folders):
        try:
            declared[name] = part_of(package, name, "team")
        except _FAILURES:
            continue
    return declared


def part_of(package: str, folder: str, name: str) -> Any:
    """Return what a team folder defines: its ``team``, ``views`` or ``services``.

    Raises:
        DefinitionError: the file is not there, or does not define it, or defines a team of another name.
    """
    file, instead = _PARTS[name]
    module = f"{package}.{folder}.{file.removesuffix('.py').removesuffix('/__init__')}"
    path = file_of(package, folder, name)
    if importlib.util.find_spec(module) is None:
        raise DefinitionError(f"team {folder}", f"has no file {path}", f"write one that says {instead}")
    defined = importlib.import_module(module)
    if not hasattr(defined, name):
        raise DefinitionError(path, f"defines no {name!r}", f"write {instead}")
    part = getattr(defined, name)
    if name == "team" and part.name != folder:
        problem = f"its folder and its team are called differently, {folder!r} and {part.name!r}"
        raise DefinitionError(f"team {folder}", problem, "give both one name")
    return part


def file_of(package: str, folder: str, name: str) -> str:
    """Return the file of a team folder that defines its ``team``, ``views`` or ``services``, as people call it."""
    return f"{package.replace('.', '/')}/{folder}/{_PARTS[name][0]}"
