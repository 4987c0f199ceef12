"""Snapshots of views of events: the complete values of a view of events at one as-of."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from feature_store.model.aggregations import Aggregation
from feature_store.model.features import Feature
from feature_store.model.sources import EventSource
from feature_store.model.views import FeatureView
from feature_store.oracle.aggregates import Event, aggregate, moment, percentile, skew
from feature_store.oracle.expressions import EPOCH, Row, as_type, evaluate, microseconds
from feature_store.oracle.rows import Keys, keys_of, known_time, rank
from feature_store.oracle.windows import in_window

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
    events = events_of(view, rows)
    aggregations = [each.aggregation for each in (view.features if features is None else features)]
    return any(counted(view, aggregation, events, as_of) for aggregation in aggregations if aggregation is not None)


def entity_values(view: FeatureView, rows: Sequence[Row], as_of: datetime) -> Values:
    """Return the values of one entity, whose rows are given: aggregates, cast and defaulted, then derived features."""
    events = events_of(view, rows)
    aggregates = [feature for feature in view.features if feature.aggregation is not None]
    return with_derived(view, {f.name: aggregate_value(view, f, events, as_of) for f in aggregates})


def empty_values(view: FeatureView) -> Values:
    """Return the values of an entity of which nothing is known: those of no rows at all."""
    if view.is_table:
        return with_derived(view, {f.name: as_default(f) for f in view.stored_features if f.kind == "field"})
    return entity_values(view, [], EPOCH)


def events_of(view: FeatureView, rows: Sequence[Row]) -> list[Row]:
    """Return the events of an entity: rows with a time, of those of one ``event_id`` in one partition the first.

    The first in ``rank``; a partition of the view, in which the events are known: its tiles are made of those alone.
    """
    source = event_source(view)
    timed = [row for row in rows if known_time(source, row) is not None]
    if source.event_id is None:
        return timed
    found: dict[Any, Row] = {}
    for place, row in enumerate(sorted(timed, key=lambda row: rank(source, row))):
        event, partition = row[source.event_id], known_partition(view, row)
        found.setdefault(place if event is None else (event, partition), row)
    return list(found.values())


def known_partition(view: FeatureView, row: Row) -> int:
    """Return the number, since the Unix epoch, of the partition of the view in which an event is known."""
    known = known_time(event_source(view), row)
    assert known is not None
    return microseconds(known) // view.cadence


def aggregate_value(view: FeatureView, feature: Feature, events: Sequence[Row], as_of: datetime) -> Any:
    """Return an aggregate in the feature's dtype: one value, or with ``by=`` one per bucket; all null is null."""
    aggregation = feature.aggregation
    assert aggregation is not None
    rows = counted(view, aggregation, events, as_of)
    if aggregation.by is None:
        return slot_value(view, feature, rows, as_of)
    slots = [
        slot_value(view, feature, [row for row in rows if in_bucket(view, aggregation, row, bucket)], as_of)
        for bucket in aggregation.buckets
    ]
    return None if all(slot is None for slot in slots) else slots


def slot_value(view: FeatureView, feature: Feature, rows: Sequence[Row], as_of: datetime) -> Any:
    """Return the aggregate of counted rows, cast; where no value was counted, the default or empty value."""
    assert feature.aggregation is not None
    inputs = inputs_of(view, feature.aggregation, rows)
    if not inputs and feature.default is not None:
        return as_default(feature)
    dtype = feature.dtype if feature.aggregation.by is None else feature.dtype.element
    return as_type(aggregate(feature.aggregation, inputs, as_of), dtype)


def counted(view: FeatureView, aggregation: Aggregation, events: Sequence[Row], as_of: datetime) -> list[Row]:
    """Return the events in the window that pass the filter and, with ``by=``, are in one of its buckets."""
    source, window = event_source(view), aggregation.window
    inside = [row for row in events if in_window(window, row[source.event_time], known_time(source, row), as_of)]
    passing = [row for row in inside if passes(view, aggregation, row)]
    if aggregation.by is None:
        return passing
    return [row for row in passing if any(in_bucket(view, aggregation, row, each) for each in aggregation.buckets)]


def passes(view: FeatureView, aggregation: Aggregation, row: Row) -> bool:
    """Whether the filter is true of a row: not false, not null."""
    return aggregation.where is None or evaluate(aggregation.where, row, view.source.columns) is True


def in_bucket(view: FeatureView, aggregation: Aggregation, row: Row, bucket: Any) -> bool:
    """Whether ``by`` of a row equals a bucket; null equals none."""
    assert aggregation.by is not None
    return evaluate(aggregation.by == bucket, row, view.source.columns) is True


def inputs_of(view: FeatureView, aggregation: Aggregation, rows: Sequence[Row]) -> list[Event]:
    """Return the rows whose value is not null, as what is aggregated; ``count()``, which has no value, takes all."""
    source = event_source(view)
    found: list[Event] = []
    for row in rows:
        value = input_value(view, aggregation, row)
        sequence = None if source.sequence is None else row[source.sequence]
        if value is not None:
            found.append(Event(row[source.event_time], (sequence is not None, sequence), value))
    return found


def input_value(view: FeatureView, aggregation: Aggregation, row: Row) -> Any:
    """Return what is aggregated of a row; of a ratio of counts, whether it passes numerator and denominator."""
    columns = view.source.columns
    if aggregation.denominator is not None and aggregation.value is not None:
        return tuple(evaluate(part, row, columns) is True for part in (aggregation.value, aggregation.denominator))
    return True if aggregation.value is None else evaluate(aggregation.value, row, columns)


def event_source(view: FeatureView) -> EventSource:
    """Return the source of a view of events."""
    assert isinstance(view.source, EventSource)
    return view.source


def as_default(feature: Feature) -> Any:
    """Return the declared default in the feature's dtype; null if there is none."""
    return as_type(feature.default, feature.dtype.element)


def with_derived(view: FeatureView, values: Mapping[str, Any]) -> Values:
    """Add the derived features: each reads the finished values of others; one of which these lack is left out."""
    done = dict(values)
    derived = [feature for feature in view.features if feature.kind == "derived"]
    while ready := [each for each in derived if each.name not in done and done.keys() >= set(each.reads)]:
        done |= {each.name: derived_value(view, each, {name: done[name] for name in each.reads}) for each in ready}
    return {feature.name: done[feature.name] for feature in view.stored_features if feature.name in done}


def derived_value(view: FeatureView, feature: Feature, reads: Mapping[str, Any]) -> Any:
    """Return a derived feature from the values it reads."""
    assert feature.expression is not None
    dtypes = {read: view.feature(read).dtype for read in feature.reads}
    return as_type(evaluate(feature.expression, reads, dtypes), feature.dtype)


def float_scale(view: FeatureView, feature: Feature, rows: Sequence[Row], as_of: datetime) -> float:
    """Return what a value of an engine may differ by, in units of 1e-9; a Float32 by half its last digit besides.

    Floats: the sum of absolute inputs; for a variance, whose unit is squared, of squares; for a skewness, which has no
    unit, the sum of absolute inputs in standard deviations; for an approximate percentile 1% of the exact one. Integers
    are exact, but for approximate counts of more than 4,096 distinct values: four standard errors, n / 64 each.
    """
    aggregation = feature.aggregation
    if aggregation is None or not (feature.dtype.element.is_float or aggregation.kind == "approx_n_unique"):
        return 0.0
    inputs = inputs_of(view, aggregation, counted(view, aggregation, events_of(view, rows), as_of))
    values = [event.value for event in inputs]
    if aggregation.kind == "approx_n_unique":
        distinct = len(set(values))
        return 0.0 if distinct <= 4096 else 4 * distinct / 64 * 1e9
    numbers = [abs(float(value)) for value in values if isinstance(value, int | float)]
    if aggregation.kind == "variance":
        return total([number * number for number in numbers]) + LAST_DIGITS
    if aggregation.kind == "skew" and values and (found := skew(values)) is not None:
        return (1 + abs(found)) * total(numbers) * math.sqrt(len(values) / moment(values, 2))
    if aggregation.kind == "approx_percentile" and values:
        return 0.01 * abs(percentile(values, aggregation.q or 0.0)) * 1e9 + LAST_DIGITS
    return total(numbers) + (LAST_DIGITS_OF_ROOTS if aggregation.kind == "std" else LAST_DIGITS)


LAST_DIGITS: Final = sys.float_info.min * 1e9
LAST_DIGITS_OF_ROOTS: Final = math.sqrt(sys.float_info.min) * 1e9
"""Floats below the smallest normal one have fewer digits; so have the squares behind a deviation below its root."""


def total(numbers: Sequence[float]) -> float:
    """The sum of some magnitudes; infinite beyond the largest float."""
    try:
        return math.fsum(numbers)
    except OverflowError:
        return math.inf
