"""Values made up for a view, by type: odd ones, and what its expressions compare with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from feature_store import Boolean, DType, FeatureView, Int64, String, Timestamp
from feature_store.expressions.nodes import Expression, Literal, Operation, walk

_NULLS: Final = 0.08
"""Share of values that are null."""

_KEY_TEXTS: Final = ("1", "12", "11", "2", "", "é")
_ODD_FLOATS: Final = (math.nan, math.inf, -math.inf, -0.0, 0.0, 1e15, -1e15)
_STEPS: Final = (timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1))


class MadeUpValues:
    """Makes values by type; many of them are constants of the declaration, or near one."""

    def __init__(self, view: FeatureView, dice: Random) -> None:
        self._dice = dice
        constants = list(_constants(view))
        self._numbers = [v for v in constants if isinstance(v, int | float) and not isinstance(v, bool)]
        texts = [value for value in constants if isinstance(value, str)]
        self._texts = texts + [str(number) for number in self._numbers]
        self._instants = [value for value in constants if isinstance(value, datetime)] or [view.start]

    def key(self, dtype: DType) -> int | str:
        """Return a key."""
        is_near = self._dice.random() < 0.2
        if dtype == Int64:
            return int(self._near()) if is_near else self._dice.randrange(-2, 60)
        # The same characters cut at other places: keys must not be joined as text.
        return self._text() if is_near else self._dice.choice(_KEY_TEXTS) + self._dice.choice(["", "", *"0123456789"])

    def value(self, dtype: DType) -> Any:
        """Return a value, maybe null."""
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
        return self._dice.choice(self._instants) + self._dice.choice(_STEPS) * self._dice.randrange(-80, 81)


def _constants(view: FeatureView) -> Iterator[Any]:
    """Yield the constants that a view's expressions compare with."""
    for feature in view.features:
        parts = [] if feature.expression is None else [feature.expression]
        if feature.aggregation is not None:
            parts += feature.aggregation.expressions()
            yield from feature.aggregation.buckets
        for part in parts:
            yield from constants_of(part)


def constants_of(expression: Expression) -> Iterator[Any]:
    """Yield the constants of an expression and of its options."""
    for node in walk(expression):
        if isinstance(node, Literal):
            yield node.value
        elif isinstance(node, Operation):
            for _name, option in node.options:
                yield from option if isinstance(option, tuple) else (option,)
