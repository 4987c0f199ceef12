"""The findings of a parity check: every value compared, those that differ, and both as tables that people read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from feature_assets.parity.text import iso, plain_text
from feature_store.status import Status

SHOWN: Final = 20
"""Rows of differences that a table shows; the report itself holds all."""


@dataclass(frozen=True)
class Value:
    """A value with its status, as one path has it; ``status`` is None where a path knows none."""

    value: Any
    status: Status | None = None

    def __str__(self) -> str:
        shown = plain_text(self.value)
        return shown if self.status in (None, Status.PRESENT) else f"{shown} ({self.status.name})"


Values = Mapping[str, Value]
"""Values of one entity, by feature."""


@dataclass(frozen=True)
class Place:
    """Whose value, and where it was found.

    Attributes:
        path: ``engine``, ``offline`` or ``online`` against recomputed values; ``online = offline`` against each other.
        keys: of the entity, by key column.
        at: the instant, T or as-of, that it was asked for.
    """

    path: str
    keys: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True)
class Compared:
    """One value beside the recomputed one.

    Attributes:
        place: whose it is, and where it was found.
        feature: its name.
        expected: as recomputed.
        found: as the path has it.
        is_same: equal, floats within the stated tolerance.
        distance: how far apart two numbers are (timestamps: seconds); None where that has no meaning.
    """

    place: Place
    feature: str
    expected: Value
    found: Value
    is_same: bool
    distance: float | None


@dataclass(frozen=True)
class Tally:
    """Values of one feature and path: how many were compared, how many differ, and by how much at most."""

    path: str
    feature: str
    compared: int
    different: int
    largest: float | None


@dataclass(frozen=True)
class ViewParity:
    """The parity of one view.

    Attributes:
        view: full name.
        values: everything that was compared.
        notes: what was left out, and why, a line each.
        problems: why a part that should have been compared could not be, a line each.
    """

    view: str
    values: Sequence[Compared]
    notes: Sequence[str] = ()
    problems: Sequence[str] = ()

    @property
    def compared(self) -> int:
        """The number of values that were compared."""
        return len(self.values)

    @property
    def is_sound(self) -> bool:
        """Whether everything could be compared, and nothing differs."""
        return not self.different and not self.problems

    @property
    def different(self) -> list[Compared]:
        """Those that differ."""
        return [value for value in self.values if not value.is_same]

    def tallies(self) -> list[Tally]:
        """Return the numbers of every path and feature, in the order in which they were compared."""
        groups: dict[tuple[str, str], list[Compared]] = {}
        for value in self.values:
            groups.setdefault((value.place.path, value.feature), []).append(value)
        return [_tally(path, feature, values) for (path, feature), values in groups.items()]

    def paths(self) -> dict[str, int]:
        """Return how many values were compared by path."""
        return {path: sum(t.compared for t in self.tallies() if t.path == path) for path in _distinct(self.values)}

    def summary_table(self) -> str:
        """Return the numbers by path and feature as a Markdown table."""
        rows = [[t.path, t.feature, t.compared, t.different, _distance(t.largest)] for t in self.tallies()]
        return markdown(["path", "feature", "compared", "different", "largest difference"], rows)

    def difference_table(self, limit: int = SHOWN) -> str:
        """Return the offending rows as a Markdown table, the first ``limit`` of them."""
        found = self.different
        keys = list(found[0].place.keys) if found else []
        rows = [
            [
                *d.place.keys.values(),
                iso(d.place.at),
                d.feature,
                d.place.path,
                d.expected,
                d.found,
                _distance(d.distance),
            ]
            for d in found[:limit]
        ]
        table = markdown([*keys, "at", "feature", "path", "expected", "found", "difference"], rows)
        return table if len(found) <= limit else f"{table}\n\nand {len(found) - limit} more"

    def __str__(self) -> str:
        head = f"{self.view}: {self.compared} values compared, {len(self.different)} different"
        lines = [head, *self.problems, *self.notes]
        return "\n".join([*lines, "", self.difference_table()] if self.different else lines)


def markdown(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _tally(path: str, feature: str, values: Sequence[Compared]) -> Tally:
    distances = [value.distance for value in values if value.distance is not None]
    different = sum(not value.is_same for value in values)
    return Tally(path, feature, len(values), different, max(distances, default=None))


def _distinct(values: Iterable[Compared]) -> list[str]:
    return list(dict.fromkeys(value.place.path for value in values))


def _distance(distance: float | None) -> str:
    return "-" if distance is None else f"{distance:.3g}"


def _cell(cell: object) -> str:
    return str(cell).replace("|", "\\|").replace("\n", " ")
