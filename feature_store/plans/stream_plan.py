"""The stream plan: all that merging a stream view's tiles into values needs, as JSON, without its definitions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from feature_store.expressions.nodes import column_names
from feature_store.expressions.text import from_canonical
from feature_store.model.states import State, StateField
from feature_store.temporal.durations import SECOND, format_duration, parse_duration
from feature_store.temporal.tile_levels import Instants, floor_to
from feature_store.temporal.windows import Window

Scalar = int | float | bool | str | None


def level_name(span: int) -> str:
    """Return how ledgers name a level of which tiles are kept, beside the state columns.

    >>> level_name(SECOND)
    'level_1s'
    """
    return f"level_{format_duration(span)}"


def level_span(name: str) -> int | None:
    """Return the span of the level of that name; None: it names none.

    >>> level_span("level_5m") == 300 * SECOND, level_span("sum_0f12")
    (True, None)
    """
    prefix = level_name(SECOND).removesuffix("1s")
    return parse_duration(name.removeprefix(prefix)) if name.startswith(prefix) else None


@dataclass(frozen=True)
class RowCount:
    """A state column that counts the rows passing a filter, and a window in which some feature reads them."""

    column: str
    over: int
    hop: int

    @property
    def window(self) -> Window:
        """The window."""
        return Window(self.over, self.hop)


@dataclass(frozen=True)
class StreamAggregate:
    """An aggregate feature.

    Attributes:
        name: of the feature.
        kind: key of ``feature_store.model.kinds.KINDS``.
        dtype: name of the feature's type.
        over: its window, microseconds.
        hop: step of the window's tail, microseconds.
        slots: per slot (one; of ``by=`` one per bucket), its state columns in the order of the kind's parts, and the
            one that counts the rows that pass its filter.
        empty: JSON value of a slot where nothing was counted: the default, 0 or null; timestamps in microseconds.
    """

    name: str
    kind: str
    dtype: str
    over: int
    hop: int
    slots: tuple[tuple[str, ...], ...]
    empty: Scalar

    @property
    def window(self) -> Window:
        """The window."""
        return Window(self.over, self.hop)


@dataclass(frozen=True)
class StreamDerived:
    """A derived feature: ``expression`` is the canonical one over features of the plan, as JSON text."""

    name: str
    dtype: str
    expression: str

    @cached_property
    def reads(self) -> frozenset[str]:
        """The features that it is computed from."""
        return frozenset(column_names(from_canonical(json.loads(self.expression))))


@dataclass(frozen=True)
class StreamPlan:
    """A compiled stream view: the way from its tiles to the values of the features that a service reads.

    Attributes:
        view: full name, for messages.
        lag: the view's ``available_after``, microseconds, whole seconds.
        cadence: span of a partition of the batch tiles, microseconds.
        levels: spans of the tiles, microseconds, ascending.
        history_start: the first instant of which there ever were events, microseconds; None: older ones were dropped.
        states: every state column of the view's tiles, sorted by name, whichever features are read.
        row_counts: where an event of the view may be counted: an entity without any is EMPTY.
        aggregates: the aggregates to compute.
        derived: the derived features to compute, each after those it reads.
    """

    view: str
    lag: int
    cadence: int
    levels: tuple[int, ...]
    history_start: int | None
    states: tuple[State, ...]
    row_counts: tuple[RowCount, ...]
    aggregates: tuple[StreamAggregate, ...]
    derived: tuple[StreamDerived, ...]

    def as_of(self, time: Instants) -> Instants:
        """Return A per T (int64 microseconds): T floored to whole seconds, less the lag."""
        return floor_to(time, SECOND) - self.lag

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """The distinct windows of all features of the view."""
        return tuple(dict.fromkeys(count.window for count in self.row_counts))

    @cached_property
    def fields(self) -> tuple[StateField, ...]:
        """The fields of every state, in the order of ``states``: the layout of a tile."""
        return tuple(field for state in self.states for field in state.fields)

    @cached_property
    def state(self) -> dict[str, State]:
        """The states by column."""
        return {state.column: state for state in self.states}

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """The part of its tiles that ledgers record: a fingerprint by state column, and each level that is kept."""
        kept = {level_name(span): level_name(span) for span in self.levels}
        return {**{state.column: state.fingerprint for state in self.states}, **kept}

    @staticmethod
    def from_record(record: dict[str, Any]) -> StreamPlan:
        """Return a plan from what ``dataclasses.asdict`` and JSON made of it."""
        return StreamPlan(
            view=record["view"],
            lag=record["lag"],
            cadence=record["cadence"],
            levels=tuple(record["levels"]),
            history_start=record["history_start"],
            states=tuple(state_from_record(state) for state in record["states"]),
            row_counts=tuple(RowCount(**count) for count in record["row_counts"]),
            aggregates=tuple(_aggregate(aggregate) for aggregate in record["aggregates"]),
            derived=tuple(StreamDerived(**derived) for derived in record["derived"]),
        )


def state_from_record(record: dict[str, Any]) -> State:
    """Return a state from what ``dataclasses.asdict`` and JSON made of it."""
    fields = tuple(StateField(**field) for field in record["fields"])
    return State(record["column"], record["part"], fields, record["fingerprint"], record["parameter"])


def _aggregate(record: dict[str, Any]) -> StreamAggregate:
    slots = tuple(tuple(slot) for slot in record["slots"])
    plain = {name: value for name, value in record.items() if name != "slots"}
    return StreamAggregate(**plain, slots=slots)
