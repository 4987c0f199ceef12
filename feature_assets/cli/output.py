"""Printing of answers: tables for people, one JSON document on stdout for programs.

Nothing is dropped or cut: a table that is wider than the terminal becomes one block of lines per row. A pipe has no
width, unless ``COLUMNS`` gives it one.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.cells import cell_len, set_cell_size

_GAP: Final = "  "
_NARROWEST: Final = 24
"""Width below which a last column of prose is no longer wrapped."""


def print_error(message: str) -> None:
    """Print a line on stderr, whatever lines the message has."""
    sys.stderr.write(f"features: {' '.join(message.split())}\n")


def print_json(document: object) -> None:
    """Print a JSON document, and nothing else."""
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, by_column: bool = False) -> None:
    """Print rows under a heading; where that is too wide, wrap the last column at words, or else print blocks.

    Args:
        columns: their headings.
        rows: a cell per column.
        by_column: make a block of each column after the first, not of each row.
    """
    lines = [list(columns), *([text(value) for value in row] for row in rows)]
    widths = [max(map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    before = sum(widths[:-1]) + len(_GAP) * (len(columns) - 1)
    room = _room(before, [line[-1] for line in lines])
    if room is None:
        _print_blocks(*(zip(*lines, strict=True) if by_column else lines))
        return
    for line in lines:
        start = _GAP.join(set_cell_size(cell, width) for cell, width in zip(line[:-1], widths, strict=False))
        _print_labelled(f"{start}{_GAP}" if start else "", before, _wrapped(line[-1], room))


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print the fields of one thing, a line each; empty ones are left out."""
    shown = {name: value for name, value in fields.items() if value not in (None, "", [], (), {})}
    label = max(map(cell_len, shown), default=0)
    for name, value in shown.items():
        lines = value.splitlines() if isinstance(value, str) else [text(value)]
        room = _room(label + len(_GAP), lines)
        wrapped = [part for line in lines for part in _wrapped(line, room)]
        _print_labelled(f"{set_cell_size(name, label)}{_GAP}", label + len(_GAP), wrapped)


def print_line(line: str = "") -> None:
    """Print one line as it is."""
    sys.stdout.write(line + "\n")


def text(value: object) -> str:
    """Return a value as people read it, on one line: floats to six digits, or two places after the point.

    >>> text(95.48999786376953), text(1234567.891), text([0.5, None]), text(True)
    ('95.49', '1234567.89', '0.5, -', 'true')
    """
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {text(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _rounded(value)
    shown = str(value) or '""'
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in shown)


def _rounded(value: float) -> str:
    if 1e6 <= abs(value) < 1e15:
        return repr(round(value, 2))
    return repr(float(f"{value:.6g}")) if math.isfinite(value) else str(value)


def _width() -> int | None:
    return shutil.get_terminal_size((0, 0)).columns or None


def _room(before: int, texts: Sequence[str]) -> int | None:
    """Return the width that is left beside ``before``; None: it is too little for the texts, even wrapped at words."""
    longest = max(map(cell_len, texts))
    width = _width()
    if width is None or before + longest <= width:
        return longest
    words = max(cell_len(word) for each in texts for word in each.split())
    return width - before if width - before >= max(words, _NARROWEST) else None


def _wrapped(line: str, room: int | None) -> list[str]:
    """Return a line in pieces of at most ``room``; None: as it is, and the terminal breaks it."""
    if room is None or cell_len(line) <= room:
        return [line]
    return textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False)


def _print_labelled(label: str, indent: int, lines: Sequence[str]) -> None:
    for place, line in enumerate(lines):
        print_line(((label if place == 0 else " " * indent) + line).rstrip())


def _print_blocks(columns: Sequence[str], *rows: Sequence[str]) -> None:
    for place, row in enumerate(rows):
        if place:
            print_line()
        print_fields(dict(zip(columns, row, strict=True)))
