"""What a snapshot is, in plain Python: no tiles, no merging, every event looked at for every entity and feature.

Rows are dicts of the source's columns. A snapshot maps the tuple of an entity's keys to its values by feature.
"""

from __future__ import annotations

import math
import statistics
from datetime import datetime, timedelta

from feature_store import FeatureView
from feature_store.aggregations import Aggregation
from feature_store.features import Feature
from tests.oracle.expressions import EPOCH, as_type, evaluate, microseconds

Snapshot = dict[tuple, dict[str, object]]


def snapshot(view: FeatureView, rows: list[dict], as_of: datetime) -> Snapshot:
    """The values of every entity with a counted event, at one as-of."""
    found = {}
    for keys in dict.fromkeys(keys_of(view, row) for row in rows):
        own = [row for row in rows if keys_of(view, row) == keys]
        if None not in keys and any(counted(view, a, own, as_of) for a in view.aggregations):
            found[keys] = entity_values(view, own, as_of)
    return found


def empty_values(view: FeatureView) -> dict[str, object]:
    """The values of an entity of which nothing is known."""
    if not view.is_table:
        return entity_values(view, [], EPOCH)
    return with_derived(view, {f.name: as_default(f) for f in view.stored_features if f.kind == "field"})


def entity_values(view: FeatureView, rows: list[dict], as_of: datetime) -> dict[str, object]:
    aggregates = [f for f in view.features if f.aggregation is not None]
    return with_derived(view, {f.name: aggregate_value(view, f, rows, as_of) for f in aggregates})


def keys_of(view: FeatureView, row: dict) -> tuple:
    return tuple(row[key] for key in view.keys)


def counted(view: FeatureView, aggregation: Aggregation, rows: list[dict], as_of: datetime) -> list[dict]:
    """The rows within the window that pass the filter."""
    window, columns = aggregation.window, view.source.columns
    start = None
    if window is not None:
        start = EPOCH + timedelta(microseconds=(microseconds(as_of) - window.over) // window.hop * window.hop)
    passing = []
    for row in rows:
        time = row[view.source.event_time]
        in_window = time is not None and time < as_of and (start is None or start <= time)
        if in_window and (aggregation.where is None or evaluate(aggregation.where, row, columns) is True):
            passing.append(row)
    return passing


def inputs(view: FeatureView, aggregation: Aggregation, rows: list[dict], as_of: datetime) -> list[tuple]:
    """(time, sequence, value) of every counted row with a value; the order of ``first`` and ``last``."""
    source = view.source
    found = []
    for row in counted(view, aggregation, rows, as_of):
        value = True if aggregation.value is None else evaluate(aggregation.value, row, source.columns)
        sequence = None if source.sequence is None else as_type(row[source.sequence], source.columns[source.sequence])
        if value is not None:
            found.append((row[source.event_time], (sequence is not None, sequence), value))
    return found


def aggregate_value(view: FeatureView, feature: Feature, rows: list[dict], as_of: datetime):
    """The value in the feature's dtype; where nothing was counted, its default or empty value."""
    events = inputs(view, feature.aggregation, rows, as_of)
    kind, values = feature.aggregation.kind, [value for _time, _sequence, value in events]
    if kind == "count":
        result = len(values)
    elif kind == "n_unique":
        result = len(set(values))
    elif not values:
        result = 0 if kind == "sum" else None
    elif kind == "sum":
        result = math.fsum(values) if isinstance(values[0], float) else sum(values)
    elif kind == "mean":
        result = math.fsum(values) / len(values)
    elif kind == "std":
        result = statistics.stdev(values) if len(values) > 1 else None
    elif kind in ("first", "last"):
        result = min(events)[2] if kind == "first" else max(events)[2]
    else:
        result = {"min": min, "max": max}[kind](values)
    if not values and feature.default is not None:
        return as_default(feature)
    return as_type(result, feature.dtype)


def as_default(feature: Feature):
    return as_type(feature.default, feature.dtype)


def with_derived(view: FeatureView, values: dict[str, object]) -> dict[str, object]:
    """Add the derived features, which read the finished values of others."""
    by_name = {feature.name: feature for feature in view.stored_features}

    def value_of(name: str):
        if name not in values:
            values[name] = derived_value(view, by_name[name], {read: value_of(read) for read in by_name[name].reads})
        return values[name]

    return {name: value_of(name) for name in by_name}


def derived_value(view: FeatureView, feature: Feature, reads: dict[str, object]):
    dtypes = {read: view.feature(read).dtype for read in feature.reads}
    return as_type(evaluate(feature.expression, reads, dtypes), feature.dtype)


def float_scale(view: FeatureView, feature: Feature, rows: list[dict], as_of: datetime) -> float:
    """The sum of absolute inputs, which bounds the rounding errors of a float aggregate."""
    if feature.aggregation is None or not feature.dtype.is_float:
        return 0.0
    values = [value for _time, _sequence, value in inputs(view, feature.aggregation, rows, as_of)]
    return math.fsum(abs(value) for value in values if isinstance(value, int | float))
