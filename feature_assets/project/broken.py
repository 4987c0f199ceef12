"""A team whose files cannot be used: in one line the team, the file, the view, the feature, and what to do."""

from __future__ import annotations

import ast
import traceback
from dataclasses import dataclass
from pathlib import Path

from feature_store.errors import FeatureStoreError


@dataclass(frozen=True)
class BrokenTeam:
    """A part of a team that is left out, while the other teams go on.

    Attributes:
        team: name of its folder.
        part: ``team``, ``views`` or ``services``.
        problem: where, what is wrong and what to do, on one line.
    """

    team: str
    part: str
    problem: str

    def __str__(self) -> str:
        return f"team {self.team} is broken, its {self.part} left out: {self.problem}"


def describe(error: BaseException, file: str, root: Path) -> str:
    """Return on one line where the files of a project raised an error, and what it says.

    Args:
        error: what importing a file of a team raised.
        file: that file, as people call it; named where the error says of no other.
        root: folder of the project.
    """
    place = _place(error, root)
    where = own_line(error, root) or file
    declared = "" if place is None else _declared_at(*place)
    text = " ".join(str(error).split())
    if isinstance(error, FeatureStoreError):
        return f"{where}: {text}"
    named = f" ({declared})" if declared else ""
    return f"{where}{named}: {type(error).__name__}: {text}. Instead: mend that line."


def own_line(error: BaseException, root: Path) -> str | None:
    """Return the innermost line of the files of the project in ``root`` that raised an error: ``file, line 3``."""
    place = _place(error, root)
    return None if place is None else f"{place[0].relative_to(root).as_posix()}, line {place[1]}"


def _place(error: BaseException, root: Path) -> tuple[Path, int] | None:
    """Return the innermost line of the project's own files."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return Path(error.filename), error.lineno
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [(file, line) for file, line in frames if _is_own(file, root)]
    return own[-1] if own else None


def _is_own(file: Path, root: Path) -> bool:
    library = Path(__file__).parents[1]
    inside = file.is_relative_to(root) and not {"site-packages", ".venv"} & set(file.parts)
    framework = any(file.is_relative_to(library.parent / name) for name in ("feature_store", "serving", "resources"))
    rooms = (library / room for room in ("project", "generator", "backfill", "cli", "parity", "explain", "landing.py"))
    return inside and not framework and not any(file.is_relative_to(room) for room in rooms)


def _declared_at(file: Path, line: int) -> str:
    """Return ``View.feature``, or ``View``, whose declaration a line belongs to; empty: of none."""
    try:
        tree = ast.parse(file.read_text())
    except (SyntaxError, OSError):
        return ""
    for view in tree.body:
        if not isinstance(view, ast.ClassDef) or not _spans(view, line):
            continue
        for statement in view.body:
            if isinstance(statement, ast.Assign) and _spans(statement, line):
                return f"{view.name}.{ast.unparse(statement.targets[0])}"
        return view.name
    return ""


def _spans(node: ast.ClassDef | ast.Assign, line: int) -> bool:
    decorators = node.decorator_list if isinstance(node, ast.ClassDef) else []
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return first <= line <= (node.end_lineno or node.lineno)
