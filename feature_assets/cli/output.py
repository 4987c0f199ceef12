"""How answers are printed: tables for people, one JSON document on stdout for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH_OF_PIPES = 160


def print_json(document: object) -> None:
    """Print a JSON document, and nothing else."""
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], caption: str | None = None) -> None:
    """Print rows under a heading; only the last two columns are wrapped."""
    table = Table(box=None, pad_edge=False, header_style="bold", caption=caption, caption_justify="left")
    for place, column in enumerate(columns, start=1):
        table.add_column(column, no_wrap=place < len(columns) - 1, overflow="fold")
    for row in rows:
        table.add_row(*(_text(value) for value in row))
    _console().print(table)


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print the fields of one thing, a line each; empty ones are left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if value not in (None, "", [], {}):
            table.add_row(name.replace("_", " "), _text(value))
    _console().print(table)


def print_line(line: str = "") -> None:
    """Print one line as it is."""
    sys.stdout.write(line + "\n")


def _console() -> Console:
    # A pipe has no width of its own; 80 columns would cut names that somebody wants to grep.
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_PIPES, highlight=False, soft_wrap=False)


def _text(value: object) -> Text:
    if isinstance(value, Mapping):
        return Text(", ".join(f"{name} {item}" for name, item in value.items()))
    if isinstance(value, (list, tuple)):
        return Text(", ".join(str(item) for item in value))
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return Text("-" if value is None else str(value))
