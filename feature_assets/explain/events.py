"""The events of one entity: which count for an aggregate, and which just miss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from feature_assets.explain.explanation import Event, Listing, WindowFacts, iso
from feature_store import EventSource, Feature, FeatureView
from feature_store.expressions.nodes import column_names
from feature_store.expressions.text import to_text
from feature_store.oracle.expressions import evaluate
from feature_store.oracle.snapshots import events_of, input_value

Row = Mapping[str, Any]


def listed_events(
    view: FeatureView, feature: Feature, rows: Iterable[Row], window: WindowFacts, most: int
) -> tuple[Listing, dict[str, Listing]]:
    """Return the events that count, newest first, and those that do not, nearest first, by reason.

    Args:
        view: a view of events.
        feature: an aggregate of it.
        rows: raw rows of one entity.
        window: its bounds.
        most: events of each listing that are shown.
    """
    own = list(rows)
    once = {id(row) for row in events_of(view, own)}
    events = [_event(view, feature, row, window, repeats=id(row) not in once) for row in own]
    counted = sorted((e for e in events if not e.reason), key=lambda event: event.time, reverse=True)
    missed: dict[str, list[Event]] = {}
    for event in sorted((e for e in events if e.reason), key=lambda event: _distance(event, window)):
        missed.setdefault(event.reason, []).append(event)
    return Listing(counted[:most], len(counted)), {r: Listing(m[:most], len(m)) for r, m in missed.items()}


def _event(view: FeatureView, feature: Feature, row: Row, window: WindowFacts, *, repeats: bool) -> Event:
    source, aggregation = view.source, feature.aggregation
    assert isinstance(source, EventSource)
    assert aggregation is not None
    time: datetime = row[source.event_time]
    value = input_value(view, aggregation, row)
    repeated = f"repeats the {source.event_id} of an earlier event" if repeats else ""
    reason = _off_by(time, window) or repeated or _reason(source, feature, row, value)
    return Event(time, value, _columns(source, feature, row), reason, _span(time, window))


def _reason(source: EventSource, feature: Feature, row: Row, value: Any) -> str:
    aggregation = feature.aggregation
    assert aggregation is not None
    if aggregation.where is not None:
        passes = evaluate(aggregation.where, dict(row), dict(source.columns))
        if passes is not True:
            return f"fails the filter ({to_text(aggregation.where)} is {'null' if passes is None else 'false'})"
    if aggregation.by is not None:
        bucket = evaluate(aggregation.by, dict(row), dict(source.columns))
        if bucket not in aggregation.buckets:
            return f"in no bucket ({to_text(aggregation.by)} is none of them)"
    return "null input" if value is None else ""


def _off_by(time: datetime, window: WindowFacts) -> str:
    if time < window.tail:
        return f"before the tail, {iso(window.tail)}"
    return f"at or after the as-of, {iso(window.head)}" if time >= window.head else ""


def _span(time: datetime, window: WindowFacts) -> str:
    if time < window.tail:
        return str(window.tail - time)
    return str(time - window.head) if time >= window.head else ""


def _distance(event: Event, window: WindowFacts) -> timedelta:
    """Order events outside of the window by how far they are off, those inside by their age."""
    if event.time < window.tail:
        return window.tail - event.time
    return abs(event.time - window.head)


def _columns(source: EventSource, feature: Feature, row: Row) -> dict[str, Any]:
    """Return what the feature reads of a row, what orders rows of one instant, and what tells them apart."""
    aggregation = feature.aggregation
    assert aggregation is not None
    expressions = (aggregation.value, aggregation.denominator, aggregation.where, aggregation.by)
    parts = [part for part in expressions if part is not None]
    names = [name for part in parts for name in column_names(part)]
    order = [name for name in (source.sequence, source.event_id) if name is not None]
    return {name: row[name] for name in dict.fromkeys([*order, *names]) if name != source.event_time}
