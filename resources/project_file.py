"""The project: the folder that everything counts from, and ``[tool.feature_store]`` of its ``pyproject.toml``.

It is the folder that ``FEATURES_PROJECT`` names; else the current folder or the nearest one above it whose
``pyproject.toml`` has that table; else the example project of this package::

    [tool.feature_store]
    teams = "flights.teams"           # the package that holds a folder per team
    now = "flights.clock:now"         # optional: a function that returns the present instant
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from feature_store.errors import InputError

_TABLE: Final = "[tool.feature_store]"
_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class ProjectFile:
    """The place of a project, and what holds its parts.

    Attributes:
        root: its folder; relative settings count from there, and its packages are imported from there.
        teams: the package that holds a folder per team.
        now: ``module:function`` that returns the present instant; None: the clock, or ``FEATURES_NOW``.
    """

    root: Path
    teams: str
    now: str | None = None


_EXAMPLE: Final = ProjectFile(_ROOT, "feature_assets.teams", "feature_assets.raw.clock:now")


def project_file() -> ProjectFile:
    """Return the project of this process.

    Raises:
        InputError: ``FEATURES_PROJECT`` names no project, or the table says what cannot be.
    """
    return _find(os.environ.get("FEATURES_PROJECT", ""), Path.cwd())


@cache
def _find(named: str, current: Path) -> ProjectFile:
    if named:
        found = _read(current / named)
        if found is None:
            raise InputError(f"FEATURES_PROJECT={named!r} is no project: its pyproject.toml needs a table {_TABLE}")
        return found
    read = (_read(folder) for folder in (current, *current.parents))
    return next((found for found in read if found is not None), _EXAMPLE)


def _read(folder: Path) -> ProjectFile | None:
    file = folder.resolve() / "pyproject.toml"
    if not file.is_file() or "feature_store" not in file.read_text():
        return None
    try:
        table = tomllib.loads(file.read_text()).get("tool", {}).get("feature_store")
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file} is not TOML: {error}") from error
    return None if table is None else _checked(file, table)


def _checked(file: Path, table: dict[str, Any]) -> ProjectFile:
    for name, value in table.items():
        if name not in ("teams", "now"):
            raise InputError(f"{file}: {_TABLE} has no {name!r}: write teams and now")
        if not isinstance(value, str) or not value:
            raise InputError(f"{file}: {name} of {_TABLE} is {value!r}: write a text")
    if "teams" not in table:
        raise InputError(f'{file}: {_TABLE} lacks teams: write teams = "my_package.teams"')
    now = table.get("now")
    if now is not None and len(now.split(":")) != 2:
        raise InputError(f'{file}: now of {_TABLE} is {now!r}: write now = "my_package.clock:now"')
    return ProjectFile(file.parent, table["teams"], now)
