"""Compiles a stream view to its plan, for a service that reads some of its features."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from feature_store.aggregations import KINDS, Aggregation
from feature_store.dtypes import DType, Float64, Int64, Timestamp
from feature_store.durations import to_microseconds
from feature_store.expressions.operations import infer_dtype
from feature_store.expressions.text import to_canonical
from feature_store.features import Feature
from feature_store.fingerprints import fingerprint
from feature_store.sources import EventSource
from feature_store.streams.plan import (
    RowCount,
    StateField,
    StreamAggregate,
    StreamDerived,
    StreamPlan,
    StreamState,
)
from feature_store.values import default_json
from feature_store.views import FeatureView


def compile_stream_plan(view: FeatureView, names: Collection[str]) -> StreamPlan:
    """Return the plan of a stream view.

    Args:
        view: the view.
        names: the stored features to compute; those that they read are computed too.
    """
    assert isinstance(view.source, EventSource)
    ordered = list(_in_order(view, names))
    return StreamPlan(
        view=view.full_name,
        lag=view.available_after,
        cadence=view.cadence,
        levels=view.levels,
        history_start=None if view.source.truncated else to_microseconds(view.source.start),
        states=stream_states(view),
        row_counts=_row_counts(view),
        aggregates=tuple(_aggregate(feature) for feature in ordered if feature.aggregation is not None),
        derived=tuple(_derived(feature) for feature in ordered if feature.aggregation is None),
    )


def stream_states(view: FeatureView) -> tuple[StreamState, ...]:
    """Return the state columns of a stream view's tiles, sorted by name."""
    assert isinstance(view.source, EventSource)
    found: dict[str, StreamState] = {}
    for aggregation in (slot for whole in view.aggregations for slot in _slots(whole)):
        value = None if aggregation.value is None else infer_dtype(aggregation.value, view.source.columns)
        parts = dict(zip(aggregation.state_columns(), KINDS[aggregation.kind].states, strict=True))
        for column, part in {**parts, aggregation.rows_column(): "n"}.items():
            fields = tuple(_fields(view.source, column, part, value))
            found[column] = StreamState(column, part, fields, _fingerprint(view, column))
    return tuple(found[column] for column in sorted(found))


def _fields(source: EventSource, column: str, part: str, value: DType | None) -> Iterator[StateField]:
    if part == "n":
        yield StateField(column, Int64.name)
    elif part in ("mean", "m2"):
        yield StateField(column, Float64.name)
    else:
        assert value is not None
        working = Float64 if value.is_float else value
        if part in ("first", "last"):
            yield StateField(f"{column}.time", Timestamp.name)
            if source.sequence is not None:
                yield StateField(f"{column}.sequence", source.columns[source.sequence].name)
            yield StateField(f"{column}.value", working.name)
        else:
            yield StateField(column, working.name)


def _fingerprint(view: FeatureView, column: str) -> str:
    keys = [[key, dtype.name] for key, dtype in view.entity.keys.items()]
    return fingerprint(["stream tiles", view.source.canonical(), keys, view.cadence, column])


def _slots(aggregation: Aggregation) -> tuple[Aggregation, ...]:
    return (aggregation,)


def _row_counts(view: FeatureView) -> tuple[RowCount, ...]:
    counts: dict[RowCount, None] = {}
    for aggregation in view.aggregations:
        assert aggregation.window is not None
        counts[RowCount(aggregation.rows_column(), aggregation.window.over, aggregation.window.hop)] = None
    return tuple(counts)


def _in_order(view: FeatureView, names: Collection[str]) -> Iterator[Feature]:
    """Yield features and those they read, each once and after those it reads."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[Feature]:
        if name in done:
            return
        done.add(name)
        feature = view.feature(name)
        for read in feature.reads:
            yield from visit(read)
        yield feature

    for feature in view.stored_features:
        if feature.name in names:
            yield from visit(feature.name)


def _aggregate(feature: Feature) -> StreamAggregate:
    aggregation = feature.aggregation
    assert aggregation is not None
    assert aggregation.window is not None
    default = default_json(feature.default)
    empty = KINDS[aggregation.kind].empty if default is None else default
    assert empty is None or isinstance(empty, int | float | bool | str)
    return StreamAggregate(
        name=feature.name,
        kind=aggregation.kind,
        dtype=feature.dtype.name,
        over=aggregation.window.over,
        hop=aggregation.window.hop,
        slots=tuple(slot.state_columns() for slot in _slots(aggregation)),
        empty=empty,
    )


def _derived(feature: Feature) -> StreamDerived:
    assert feature.expression is not None
    return StreamDerived(feature.name, feature.dtype.name, json.dumps(to_canonical(feature.expression)))
