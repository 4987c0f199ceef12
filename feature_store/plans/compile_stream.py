"""Compiles a stream view to its plan, for a service that reads some of its features."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from feature_store.constants import default_json
from feature_store.expressions.text import to_canonical
from feature_store.model.features import Feature
from feature_store.model.kinds import KINDS
from feature_store.model.sources import EventSource
from feature_store.model.states import view_states
from feature_store.model.views import FeatureView
from feature_store.plans.stream_plan import RowCount, StreamAggregate, StreamDerived, StreamPlan
from feature_store.temporal.instants import to_microseconds


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
        states=view_states(view),
        row_counts=_row_counts(view),
        aggregates=tuple(_aggregate(feature) for feature in ordered if feature.aggregation is not None),
        derived=tuple(_derived(feature) for feature in ordered if feature.aggregation is None),
    )


def derived_features(view: FeatureView) -> tuple[StreamDerived, ...]:
    """Return the derived features of a view of any kind, each after those it reads."""
    return tuple(_derived(feature) for feature in _in_order(view, view.fingerprints) if feature.kind == "derived")


def _row_counts(view: FeatureView) -> tuple[RowCount, ...]:
    counts: dict[RowCount, None] = {}
    for aggregation in view.aggregations:
        assert aggregation.window is not None
        for slot in aggregation.slots():
            counts[RowCount(slot.rows_column(), aggregation.window.over, aggregation.window.hop)] = None
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
        slots=tuple((*slot.state_columns(), slot.rows_column()) for slot in aggregation.slots()),
        empty=empty,
    )


def _derived(feature: Feature) -> StreamDerived:
    assert feature.expression is not None
    return StreamDerived(feature.name, feature.dtype.name, json.dumps(to_canonical(feature.expression)))
