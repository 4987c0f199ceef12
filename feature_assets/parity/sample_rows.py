"""Rows made up for a view: of every type its source has, crowded at the instants at which something changes.

A row of a feature test must reach what the declaration distinguishes: texts and numbers that its filters name, both
sides of every window's bounds, equal times, nulls, NaN, infinities, negative zero, keys with many rows and with none.
Half of the rows are drawn again, part by part, until one of the filters holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from feature_assets.parity.made_up_values import MadeUpValues
from feature_store import EventSource, FeatureView
from feature_store.expressions.nodes import Expression, Operation, column_names
from feature_store.model.states import state_inputs
from feature_store.oracle.expressions import evaluate
from feature_store.temporal.instants import from_microseconds, to_microseconds

Row = dict[str, Any]

ENTITIES: Final = 6
TABLE_ENTITIES: Final = 40
"""Of a table each gives one row to a snapshot, however many it has."""

_NULL_KEYS: Final = 0.04
"""Share of keys that are null."""

_DRAWS: Final = 40
"""The number of draws until a part of a filter is given up; some never hold."""

_MICROSECOND: Final = timedelta(microseconds=1)


def sample_rows(view: FeatureView, as_ofs: Sequence[datetime], rows: int, seed: int = 0) -> list[Row]:
    """Return made-up rows of a view's source, the same for the same seed.

    Args:
        view: the view.
        as_ofs: around which, and around whose windows' tails, times lie.
        rows: how many.
        seed: of the random numbers.
    """
    dice = Random(seed)  # noqa: S311 - made-up data, no secret
    cells = _Cells(view, as_ofs, dice)
    filters = filters_of(view)
    return [_row(view, cells, dice, filters) for _ in range(rows)]


def filters_of(view: FeatureView) -> list[list[Expression]]:
    """Return what rows must pass to be counted by any feature: per filter the parts that must all hold."""
    counts = [each for each in state_inputs(view).values() if each.value is None]
    return [list(_conjuncts(each.where)) for each in counts if each.where is not None]


def _conjuncts(condition: Expression) -> Iterator[Expression]:
    if isinstance(condition, Operation) and condition.name == "and":
        for argument in condition.arguments:
            yield from _conjuncts(argument)
    else:
        yield condition


def _row(view: FeatureView, cells: _Cells, dice: Random, filters: list[list[Expression]]) -> Row:
    row = cells.draw(view.source.columns) | cells.draw_entity()
    if not filters or dice.random() < 0.5:
        return row
    held: list[Expression] = []
    for part in dice.choice(filters):
        held.append(part)
        for _ in range(_DRAWS):
            if all(evaluate(each, row, view.source.columns) is True for each in held):
                break
            row |= cells.draw(column_names(part))
    return row


class _Cells:
    """Draws the cells of rows: keys of a few entities, times at the edges of what as-ofs count, other values."""

    def __init__(self, view: FeatureView, as_ofs: Sequence[datetime], dice: Random) -> None:
        self._view = view
        self._dice = dice
        self._values = values = MadeUpValues(view, dice)
        count = TABLE_ENTITIES if view.is_table else ENTITIES
        keys = list(zip(view.key_columns, view.entity.keys.values(), strict=True))
        self._entities = [{column: values.key(dtype) for column, dtype in keys} for _ in range(count)]
        self._edges = [_edges(view, as_of) for as_of in as_ofs]
        self._times = _times(view)
        self._deleted = getattr(view.source, "deleted", None)

    def draw_entity(self) -> Row:
        """Return the keys of an entity that has other rows too; now and then one is null."""
        entity = self._dice.choice(self._entities)
        return {key: None if self._dice.random() < _NULL_KEYS else value for key, value in entity.items()}

    def draw(self, names: Iterable[str]) -> Row:
        """Return cells of columns."""
        return {name: self._cell(name) for name in names}

    def _cell(self, name: str) -> Any:
        dtype = self._view.source.columns[name]
        if name in self._times:
            return self._time()
        if name in self._view.key_columns:
            return self._values.key(dtype)
        if name == self._deleted:
            return self._dice.choice([True, False, False, False, None])
        return self._values.value(dtype)

    def _time(self) -> datetime:
        edges = self._dice.choice(self._edges)
        if self._dice.random() < 0.5:
            return self._dice.choice(edges) + self._dice.choice([-_MICROSECOND, 0 * _MICROSECOND, _MICROSECOND])
        span = max(edges) - min(edges)
        step = timedelta(minutes=self._dice.choice([1, 60, 1440]))
        return min(edges) + step * self._dice.randrange(max(span // step, 1))


def _times(view: FeatureView) -> list[str]:
    """Return the columns whose instants decide whether a row counts."""
    source = view.source
    if isinstance(source, EventSource):
        return [name for name in (source.event_time, source.known_at) if name is not None]
    return [name for name in (source.time, source.landed_at, source.valid_to) if name is not None]


def _edges(view: FeatureView, as_of: datetime) -> list[datetime]:
    at = to_microseconds(as_of)
    tails = [window.tail(at) for window in view.windows]
    spans = [span for span in (view.row_ttl, view.available_after, view.cadence) if span]
    return [as_of, *map(from_microseconds, [*tails, *(at - span for span in spans), at + view.available_after])]
