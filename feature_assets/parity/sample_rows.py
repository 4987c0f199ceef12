"""Rows made up for a view: of every type its source has, crowded at the instants at which something changes.

A row of a feature test must reach what the declaration distinguishes: texts and numbers that its filters name, both
sides of every window's bounds, equal times, nulls, NaN, infinities, negative zero, keys with many rows and with none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from feature_store import Boolean, DType, EventSource, FeatureView, Int64, String, Timestamp
from feature_store.durations import DAY
from feature_store.expressions.nodes import Expression, Literal, Operation
from feature_store.offline.instants import from_microseconds, to_microseconds

Row = dict[str, Any]

ENTITIES: Final = 6
TABLE_ENTITIES: Final = 40
"""Of a table each gives one row to a snapshot, however many it has."""

_NULLS: Final = 0.08
"""Share of values that are null."""

_KEY_TEXTS: Final = ("1", "12", "11", "2", "", "é")
_ODD_FLOATS: Final = (math.nan, math.inf, -math.inf, -0.0, 0.0, 1e15, -1e15)
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
    makers = _Makers(view, dice)
    count = TABLE_ENTITIES if view.is_table else ENTITIES
    entities = [{key: makers.key(dtype) for key, dtype in view.entity.keys.items()} for _ in range(count)]
    edges = _edges(view, as_ofs)
    return [_row(view, dice, makers, entities, edges) for _ in range(rows)]


def _row(view: FeatureView, dice: Random, makers: _Makers, entities: list[Row], edges: list[datetime]) -> Row:
    row = {name: makers.value(dtype) for name, dtype in view.source.columns.items()}
    row |= {key: None if dice.random() < _NULLS / 2 else value for key, value in dice.choice(entities).items()}
    deleted = getattr(view.source, "deleted", None)
    ended = {} if deleted is None else {deleted: dice.choice([True, False, False, False, None])}
    return row | ended | {name: _time(dice, edges) for name in _times(view)}


def _times(view: FeatureView) -> list[str]:
    """Return the columns whose instants decide whether a row counts."""
    source = view.source
    if isinstance(source, EventSource):
        return [source.event_time]
    return [name for name in (source.time, source.landed_at, source.valid_to) if name is not None]


def _edges(view: FeatureView, as_ofs: Sequence[datetime]) -> list[datetime]:
    edges: list[datetime] = []
    for as_of in as_ofs:
        at = to_microseconds(as_of)
        tails = [window.tail(at) for window in view.windows]
        spans = [span for span in (view.row_ttl, view.available_after, view.cadence) if span]
        edges += [as_of, *map(from_microseconds, [*tails, *(at - span for span in spans), at + view.available_after])]
    return edges


def _time(dice: Random, edges: list[datetime]) -> datetime:
    if dice.random() < 0.5:
        return dice.choice(edges) + dice.choice([-_MICROSECOND, 0 * _MICROSECOND, _MICROSECOND])
    span = max(edges) - min(edges)
    step = timedelta(minutes=dice.choice([1, 60, 1440]))
    return min(edges) + step * dice.randrange(max(span // step, 1))


class _Makers:
    """Makes values by type; a third of them are constants of the declaration."""

    def __init__(self, view: FeatureView, dice: Random) -> None:
        self._dice = dice
        constants = list(_constants(view))
        self._texts = [value for value in constants if isinstance(value, str)]
        self._numbers = [v for v in constants if isinstance(v, int | float) and not isinstance(v, bool)]
        self._instants = [value for value in constants if isinstance(value, datetime)] or [view.start]

    def key(self, dtype: DType) -> int | str:
        # The same characters cut at other places: keys must not be joined as text.
        if dtype == Int64:
            return self._dice.randrange(-2, 60)
        return self._dice.choice(_KEY_TEXTS) + self._dice.choice(["", "", *"0123456789"])

    def value(self, dtype: DType) -> Any:
        if self._dice.random() < _NULLS:
            return None
        if dtype.is_vector:
            return [self._dice.randrange(-64, 65) / 64 for _ in range(dtype.length)]  # exact in Float32
        if dtype.is_float:
            return self._float()
        return {Int64: self._integer, String: self._text, Boolean: self._boolean, Timestamp: self._instant}[dtype]()

    def _float(self) -> float:
        luck = self._dice.random()
        if luck < 0.1:
            return self._dice.choice(_ODD_FLOATS)
        return float(self._near()) if luck < 0.4 else round(self._dice.uniform(-100, 100), 2)

    def _integer(self) -> int:
        return int(self._near()) if self._dice.random() < 0.5 else self._dice.randrange(-5, 20)

    def _near(self) -> float:
        return self._dice.choice(self._numbers or [0, 1]) + self._dice.choice([-1, 0, 0, 1])

    def _text(self) -> str:
        return self._dice.choice(self._texts if self._texts and self._dice.random() < 0.7 else ["a", "A", "b", "", "é"])

    def _boolean(self) -> bool:
        return self._dice.random() < 0.5

    def _instant(self) -> datetime:
        return self._dice.choice(self._instants) + timedelta(microseconds=DAY) * self._dice.randrange(-3, 4)


def _constants(view: FeatureView) -> Iterator[Any]:
    """Yield the constants that a view's expressions compare with."""
    for feature in view.features:
        parts = [feature.expression]
        if feature.aggregation is not None:
            parts += feature.aggregation.expressions()
            yield from feature.aggregation.buckets
        for part in parts:
            if part is not None:
                yield from _constants_of(part)


def _constants_of(expression: Expression) -> Iterator[Any]:
    if isinstance(expression, Literal):
        yield expression.value
    elif isinstance(expression, Operation):
        for _name, option in expression.options:
            yield from option if isinstance(option, tuple) else (option,)
        for argument in expression.arguments:
            yield from _constants_of(argument)
