"""Aggregations as declared: of what, over which window, with which options; and what their states are of.

An aggregation's state is a few columns of a tile. States of several tiles merge into one, in any order; the value is
read from the merged state. Aggregations of one input and filter share their state, whatever their windows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from feature_store.expressions.nodes import Expression, Literal, Scalar, operation
from feature_store.expressions.text import to_canonical, to_text
from feature_store.model.kinds import KINDS, PARTS
from feature_store.temporal.durations import format_duration
from feature_store.temporal.windows import Window


@dataclass(frozen=True, eq=False)
class StateInput:
    """The input of a state.

    Attributes:
        value: what is aggregated; None: rows.
        where: only events for which this is true count; None: all.
        parameter: of the part, see ``Part.parameter``; a half-life is in microseconds.
    """

    value: Expression | None
    where: Expression | None
    parameter: int | None = None

    @cached_property
    def digest(self) -> str:
        """Hash of it all, long enough that no two inputs of a view have the same."""
        parts: list[object] = [None if part is None else to_canonical(part) for part in (self.value, self.where)]
        if self.parameter is not None:
            parts.append(self.parameter)
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()

    def column(self, part: str) -> str:
        """Return the tile column of a part of its state, ``<part>_<digest>``; parts of one input share the digest."""
        return f"{part}_{self.digest}"


_ROWS: Final = StateInput(None, None)


@dataclass(frozen=True, eq=False)
class Aggregation:
    """An aggregation of one view.

    Attributes:
        kind: key of ``KINDS``.
        value: what is aggregated; None: rows (``count()``). Of ``count_ratio`` the numerator.
        window: which events count; None: all history.
        where: only events for which this is true count; None: all.
        k: how many values a list keeps.
        q: which percentile, 0 to 1.
        half_life: after which an event counts half as much, microseconds.
        denominator: of a ratio of counts.
        by: events are counted apart by its value, in a slot per bucket; None: all in one.
        buckets: the values of ``by`` that have a slot, in order.
    """

    kind: str
    value: Expression | None
    window: Window | None
    where: Expression | None
    k: int | None = None
    q: float | None = None
    half_life: int | None = None
    denominator: Expression | None = None
    by: Expression | None = None
    buckets: tuple[Scalar, ...] = ()

    @property
    def length(self) -> int | None:
        """The number of slots of its value, an array; None: its value is no array."""
        return self.k if self.by is None else len(self.buckets)

    def expressions(self) -> tuple[Expression, ...]:
        """Return all that it reads of a row."""
        parts = (self.value, self.denominator, self.where, self.by)
        return tuple(part for part in parts if part is not None)

    def slots(self) -> tuple[Aggregation, ...]:
        """Return aggregations without ``by`` that together give the value: one per bucket, or just this one."""
        if self.by is None:
            return (self,)
        in_bucket = [operation("equal", self.by, bucket) for bucket in self.buckets]
        filters = [_both(self.where, condition) for condition in in_bucket]
        return tuple(replace(self, where=where, by=None, buckets=()) for where in filters)

    def state_inputs(self) -> tuple[tuple[str, StateInput], ...]:
        """Return what the parts of the state of an aggregation without ``by`` are of, in the order of its kind's."""
        assert self.by is None, "the state of an aggregation by= is that of its slots"
        parts = KINDS[self.kind].states
        if self.denominator is not None:
            conditions = (self.value, self.denominator)
            inputs = [StateInput(None, _both(self.where, condition)) for condition in conditions]
        else:
            parameters = [self._parameter(part) for part in parts]
            shared = {parameter: StateInput(self.value, self.where, parameter) for parameter in parameters}
            inputs = [shared[parameter] for parameter in parameters]
        return tuple(zip(parts, inputs, strict=True))

    def _parameter(self, part: str) -> int | None:
        name = PARTS[part].parameter
        return None if name is None else getattr(self, name)

    def rows_input(self) -> tuple[str, StateInput]:
        """Return what counts the rows passing the filter, null inputs included."""
        assert self.by is None, "the state of an aggregation by= is that of its slots"
        return "n", _ROWS if self.where is None else StateInput(None, self.where)

    def all_inputs(self) -> tuple[tuple[str, StateInput], ...]:
        """Return what all states are of that it needs: those of its slots, each with the count of rows passing."""
        return tuple(each for slot in self.slots() for each in (*slot.state_inputs(), slot.rows_input()))

    def state_columns(self) -> tuple[str, ...]:
        """Return the tile columns that hold the state, equal for aggregations that can share it."""
        return tuple(state.column(part) for part, state in self.state_inputs())

    def rows_column(self) -> str:
        """Return the tile column that counts the rows passing the filter."""
        part, rows = self.rows_input()
        return rows.column(part)

    def tile_columns(self) -> frozenset[str]:
        """Return every tile column that it needs, those of all its slots and of the rows they count."""
        return frozenset(state.column(part) for part, state in self.all_inputs())

    def canonical(self) -> object:
        """Return what determines the values, as JSON."""
        value = None if self.value is None else to_canonical(self.value)
        where = None if self.where is None else to_canonical(self.where)
        window = None if self.window is None else [self.window.over, self.window.hop]
        options: dict[str, Any] = {"k": self.k, "q": self.q, "half_life": self.half_life}
        if self.denominator is not None:
            options["denominator"] = to_canonical(self.denominator)
        if self.by is not None:
            options["by"] = [to_canonical(self.by), [to_canonical(Literal(bucket)) for bucket in self.buckets]]
        given = {name: option for name, option in options.items() if option is not None}
        return [self.kind, value, window, where, *([given] if given else [])]

    def __str__(self) -> str:
        parts = [to_text(part) for part in (self.value, self.denominator) if part is not None]
        parts += [f"{name}={option}" for name, option in (("k", self.k), ("q", self.q)) if option is not None]
        parts += [] if self.half_life is None else [f"half_life={format_duration(self.half_life)}"]
        text = f"{self.kind}({', '.join(parts)})"
        if self.by is not None:
            text += f" by {to_text(self.by)} in [{', '.join(to_text(Literal(bucket)) for bucket in self.buckets)}]"
        text += "" if self.where is None else f" where {to_text(self.where)}"
        return text + (" over all history" if self.window is None else f" over {self.window}")


def _both(left: Expression | None, right: Expression | None) -> Expression | None:
    return right if left is None else left if right is None else operation("and", left, right)
