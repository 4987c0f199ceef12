"""The state columns of a view's tiles, the same for every engine, store and plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from feature_store.dtypes import Float64, Timestamp
from feature_store.expressions.operations import infer_dtype
from feature_store.fingerprints import fingerprint
from feature_store.model.aggregations import StateInput
from feature_store.model.kinds import PARTS
from feature_store.model.sources import EventSource
from feature_store.model.views import FeatureView
from feature_store.temporal.windows import Window


@dataclass(frozen=True)
class StateField:
    """One field of a state: its name and the type of its values (every float is Float64)."""

    name: str
    dtype: str


@dataclass(frozen=True)
class State:
    """A state column of a view's tiles; plans and stored layouts hold it as it is.

    Attributes:
        column: its name, ``<part>_<digest>``; states of one digest are of one input under one filter.
        part: key of ``PARTS``.
        fields: one of the column's own name; of a part with times ``<column>.time``, ``<column>.sequence`` where the
            part has it and the source declares one, and ``<column>.value``. Of lists, those of each value.
        fingerprint: of what determines its contents.
        parameter: of the part: the k of lists, a half-life in microseconds.
    """

    column: str
    part: str
    fields: tuple[StateField, ...]
    fingerprint: str
    parameter: int | None = None

    @property
    def digest(self) -> str:
        """The part that it shares with other states of the same input and filter."""
        return self.column.rpartition("_")[2]

    def sibling(self, part: str) -> str:
        """Return the column of another part of the same input and filter."""
        return f"{part}_{self.digest}"


def view_states(view: FeatureView, *, all_history_only: bool = False) -> tuple[State, ...]:
    """Return the distinct states of a view's aggregations, the counts of passing rows included, sorted by column."""
    found = {
        state.column(part): (part, state)
        for aggregation in view.aggregations
        if aggregation.window is None or not all_history_only
        for part, state in aggregation.all_inputs()
    }
    return tuple(_state(view, *found[column]) for column in sorted(found))


def window_states(view: FeatureView, window: Window | None) -> tuple[State, ...]:
    """Return the distinct states that are merged over a window (None: all history), in declared order."""
    aggregations = [each for each in view.aggregations if each.window == window]
    found = {state.column(part): (part, state) for each in aggregations for part, state in each.all_inputs()}
    return tuple(_state(view, part, state) for part, state in found.values())


def state_inputs(view: FeatureView) -> dict[str, StateInput]:
    """Return what the states of a view are of, by digest, sorted by the columns of the states."""
    found = {state.column(part): state for aggregation in view.aggregations for part, state in aggregation.all_inputs()}
    return {found[column].digest: found[column] for column in sorted(found)}


def row_counts(view: FeatureView, window: Window | None) -> tuple[str, ...]:
    """Return the state columns that count, for a window (None: all history), the rows that pass some filter."""
    slots = [slot for each in view.aggregations if each.window == window for slot in each.slots()]
    return tuple(dict.fromkeys(slot.rows_column() for slot in slots))


def _state(view: FeatureView, part: str, state: StateInput) -> State:
    column = state.column(part)
    identity = ["stream tiles", *view.identity, view.cadence] if view.is_stream else ["tiles", *view.identity]
    return State(column, part, tuple(_fields(view, part, state)), fingerprint([*identity, column]), state.parameter)


def _fields(view: FeatureView, part: str, state: StateInput) -> Iterator[StateField]:
    kind, column, source = PARTS[part], state.column(part), view.source
    assert isinstance(source, EventSource)
    if kind.has_time:
        yield StateField(f"{column}.time", Timestamp.name)
        if kind.has_sequence and source.sequence is not None:
            yield StateField(f"{column}.sequence", source.columns[source.sequence].name)
    dtype = kind.value
    if dtype is None:
        assert state.value is not None
        dtype = infer_dtype(state.value, source.columns)
        assert dtype is not None
    name = f"{column}.value" if kind.has_time else column
    yield StateField(name, Float64.name if dtype.is_float else dtype.name)
