"""What a snapshot is: the complete values of a view of events at one as-of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from feature_store.aggregations import Aggregation
from feature_store.features import Feature
from feature_store.oracle.aggregates import Event, aggregate, moment, percentile, skew
from feature_store.oracle.expressions import EPOCH, Row, as_type, evaluate, microseconds
from feature_store.oracle.windows import in_window
from feature_store.sources import EventSource
from feature_store.views import FeatureView

Keys = tuple[Any, ...]
Values = dict[str, Any]
Snapshot = dict[Keys, Values]


def snapshot(view: FeatureView, rows: Sequence[Row], as_of: datetime) -> Snapshot:
    """Return the values of every entity with at least one counted event in any feature, at one as-of."""
    found: Snapshot = {}
    for keys in dict.fromkeys(keys_of(view, row) for row in rows):
        own = [row for row in rows if keys_of(view, row) == keys]
        if None not in keys and is_present(view, own, as_of):
            found[keys] = entity_values(view, own, as_of)
    return found


def is_present(
    view: FeatureView, rows: Sequence[Row], as_of: datetime, features: Sequence[Feature] | None = None
) -> bool:
    """Whether any feature (of those given, if any are) counts a row of an entity; an entity without one is EMPTY."""
    aggregations = [each.aggregation for each in (view.features if features is None else features)]
    return any(counted(view, aggregation, rows, as_of) for aggregation in aggregations if aggregation is not None)


def keys_of(view: FeatureView, row: Row) -> Keys:
    """Return the entity of a row: its keys as typed values, never joined as text."""
    return tuple(row[key] for key in view.keys)


def entity_values(view: FeatureView, rows: Sequence[Row], as_of: datetime) -> Values:
    """Return the values of one entity, whose rows are given: aggregates, cast and defaulted, then derived features."""
    aggregates = [feature for feature in view.features if feature.aggregation is not None]
    return with_derived(view, {f.name: aggregate_value(view, f, rows, as_of) for f in aggregates})


def empty_values(view: FeatureView) -> Values:
    """Return the values of an entity of which nothing is known: those of no rows at all."""
    if view.is_table:
        return with_derived(view, {f.name: as_default(f) for f in view.stored_features if f.kind == "field"})
    return entity_values(view, [], EPOCH)


def aggregate_value(view: FeatureView, feature: Feature, rows: Sequence[Row], as_of: datetime) -> Any:
    """Return an aggregate in the feature's dtype: one value, or with ``by=`` one per bucket; all null is null."""
    aggregation = feature.aggregation
    assert aggregation is not None
    if aggregation.by is None:
        return slot_value(view, feature, rows, as_of)
    slots = [slot_value(view, feature, in_bucket(view, aggregation, rows, b), as_of) for b in aggregation.buckets]
    return None if all(slot is None for slot in slots) else slots


def slot_value(view: FeatureView, feature: Feature, rows: Sequence[Row], as_of: datetime) -> Any:
    """Return the aggregate of some rows, cast; where no value was counted, the default or empty value."""
    assert feature.aggregation is not None
    events = inputs(view, feature.aggregation, rows, as_of)
    if not events and feature.default is not None:
        return as_default(feature)
    dtype = feature.dtype if feature.aggregation.by is None else feature.dtype.element
    return as_type(aggregate(feature.aggregation, events, as_of), dtype)


def inputs(view: FeatureView, aggregation: Aggregation, rows: Sequence[Row], as_of: datetime) -> list[Event]:
    """Return the counted rows whose value is not null; ``count()``, which has no value, takes them all."""
    source = event_source(view)
    found: list[Event] = []
    for row in counted(view, aggregation, rows, as_of):
        value = input_value(view, aggregation, row)
        sequence = None if source.sequence is None else as_type(row[source.sequence], source.columns[source.sequence])
        if value is not None:
            found.append(Event(row[source.event_time], (sequence is not None, sequence), value))
    return found


def input_value(view: FeatureView, aggregation: Aggregation, row: Row) -> Any:
    """Return what is aggregated of a row; of a ratio of counts, whether it passes numerator and denominator."""
    columns = view.source.columns
    if aggregation.denominator is not None and aggregation.value is not None:
        return tuple(evaluate(part, row, columns) is True for part in (aggregation.value, aggregation.denominator))
    return True if aggregation.value is None else evaluate(aggregation.value, row, columns)


def counted(view: FeatureView, aggregation: Aggregation, rows: Sequence[Row], as_of: datetime) -> list[Row]:
    """Return the rows in the window for which the filter is true (not false, not null), and in one of its buckets."""
    source = event_source(view)
    passing = [
        row
        for row in told_apart(view, rows)
        if in_window(aggregation.window, row[source.event_time], as_of)
        and (aggregation.where is None or evaluate(aggregation.where, row, source.columns) is True)
    ]
    if aggregation.by is None:
        return passing
    return [row for bucket in aggregation.buckets for row in in_bucket(view, aggregation, passing, bucket)]


def told_apart(view: FeatureView, rows: Sequence[Row]) -> list[Row]:
    """Return an entity's rows but for those that repeat the ``event_id`` of an earlier one in their partition."""
    source = event_source(view)
    if source.event_id is None:
        return list(rows)
    found: dict[Any, Row] = {}
    for place, row in enumerate(sorted(rows, key=lambda row: time_order(source, row))):
        partition = microseconds(row[source.event_time]) // view.cadence
        name = row[source.event_id]
        found.setdefault((partition, name) if name is not None else place, row)
    return list(found.values())


def time_order(source: EventSource, row: Row) -> tuple[Any, ...]:
    """Return what orders events: their time, then their sequence, where there is one, null before all others."""
    sequence = None if source.sequence is None else row[source.sequence]
    return (row[source.event_time], *((False,) if sequence is None else (True, sequence)))


def in_bucket(view: FeatureView, aggregation: Aggregation, rows: Sequence[Row], bucket: Any) -> list[Row]:
    """Return the rows for which ``by`` equals a bucket; null equals none."""
    assert aggregation.by is not None
    return [row for row in rows if evaluate(aggregation.by == bucket, row, view.source.columns) is True]


def event_source(view: FeatureView) -> EventSource:
    """Return the source of a view of events."""
    assert isinstance(view.source, EventSource)
    return view.source


def as_default(feature: Feature) -> Any:
    """Return the declared default in the feature's dtype; null if there is none."""
    return as_type(feature.default, feature.dtype.element)


def with_derived(view: FeatureView, values: Mapping[str, Any]) -> Values:
    """Return the values of all stored features: derived ones read the finished values of others."""
    by_name = {feature.name: feature for feature in view.stored_features}
    done = dict(values)

    def value_of(name: str) -> Any:
        if name not in done:
            done[name] = derived_value(view, by_name[name], {read: value_of(read) for read in by_name[name].reads})
        return done[name]

    return {name: value_of(name) for name in by_name}


def derived_value(view: FeatureView, feature: Feature, reads: Mapping[str, Any]) -> Any:
    """Return a derived feature from the values it reads."""
    assert feature.expression is not None
    dtypes = {read: view.feature(read).dtype for read in feature.reads}
    return as_type(evaluate(feature.expression, reads, dtypes), feature.dtype)


def float_scale(view: FeatureView, feature: Feature, rows: Sequence[Row], as_of: datetime) -> float:
    """Return what a float of an engine may differ by, in units of 1e-9; a Float32 by half its last digit besides.

    The sum of absolute inputs; for a variance, whose unit is squared, of squares; for a skewness, which has no unit,
    the sum of absolute inputs in standard deviations; for an approximate percentile 1% of the exact one.
    """
    aggregation = feature.aggregation
    if aggregation is None or not feature.dtype.element.is_float:
        return 0.0
    values = [event.value for event in inputs(view, aggregation, rows, as_of)]
    numbers = [abs(float(value)) for value in values if isinstance(value, int | float)]
    if aggregation.kind == "variance":
        return math.fsum(number**2 for number in numbers)
    if aggregation.kind == "skew" and values and (found := skew(values)) is not None:
        return (1 + abs(found)) * math.fsum(numbers) * math.sqrt(len(values) / moment(values, 2))
    if aggregation.kind == "approx_percentile" and values:
        return 0.01 * abs(percentile(values, aggregation.q or 0.0)) * 1e9
    return math.fsum(numbers)
