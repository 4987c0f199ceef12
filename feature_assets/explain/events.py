"""The events of one entity: which count for an aggregate, which of them are its value, and which just miss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from feature_assets.explain.explanation import Event, Listing, WindowFacts
from feature_assets.parity.text import iso
from feature_store import EventSource, FeatureView
from feature_store.expressions.nodes import column_names
from feature_store.expressions.text import to_text
from feature_store.model.aggregations import Aggregation
from feature_store.oracle import aggregates
from feature_store.oracle.expressions import evaluate
from feature_store.oracle.rows import known_time
from feature_store.oracle.snapshots import events_of, in_bucket, input_value, inputs_of, passes
from feature_store.oracle.windows import in_window

Row = Mapping[str, Any]


def listed_events(
    view: FeatureView, aggregation: Aggregation, rows: Iterable[Row], window: WindowFacts, most: int
) -> tuple[Listing, dict[str, Listing]]:
    """Return the events that count, the latest first, and those that do not, the nearest first, by reason.

    Args:
        view: a view of events.
        aggregation: of one of its features.
        rows: raw rows of one entity.
        window: its bounds.
        most: events of each listing that are shown; of those that count also every one whose value is in the result.
    """
    case = _Case(view, aggregation, window)
    events = [row for row in rows if case.time(row) is not None]
    first = {id(row) for row in events_of(view, events)}
    counted: list[Row] = []
    missed: dict[str, list[Event]] = {}
    for row in sorted(events, key=case.distance):
        reason = case.why_missed(row, repeats=id(row) not in first)
        if reason:
            missed.setdefault(reason, []).append(case.event(row, reason=reason))
        else:
            counted.append(row)
    latest = sorted(counted, key=lambda row: inputs_of(view, aggregation, [row]), reverse=True)
    places = case.places(latest)
    shown = [row for number, row in enumerate(latest) if number < most or id(row) in places]
    listing = Listing([case.event(row, place=places.get(id(row), "")) for row in shown], len(latest))
    return listing, {reason: Listing(nearest[:most], len(nearest)) for reason, nearest in missed.items()}


@dataclass(frozen=True)
class _Case:
    """An aggregate of a view at one as-of; the conditions are those of the specification."""

    view: FeatureView
    aggregation: Aggregation
    window: WindowFacts

    @property
    def source(self) -> EventSource:
        assert isinstance(self.view.source, EventSource)
        return self.view.source

    def time(self, row: Row) -> datetime:
        time: datetime = row[self.source.event_time]
        return time

    def distance(self, row: Row) -> timedelta:
        """Return how far off an event outside of the window, or known too late, is; of one that counts its age."""
        time, tail = self.time(row), self.window.tail
        late = self._late(row)
        if late is not None:
            return late - self.window.head
        return tail - time if time < tail else abs(time - self.window.head)

    def why_missed(self, row: Row, *, repeats: bool) -> str:
        """Return why an event does not count; empty if it does."""
        aggregation, source = self.aggregation, self.source
        if outside := self._outside(row):
            return outside
        if repeats:
            return f"repeats the {source.event_id} of an earlier event"
        if aggregation.where is not None and not passes(self.view, aggregation, row):
            is_null = evaluate(aggregation.where, row, source.columns) is None
            return f"fails the filter ({to_text(aggregation.where)} is {'null' if is_null else 'false'})"
        if aggregation.by is not None and not self._buckets(row):
            return f"in no bucket ({to_text(aggregation.by)} is none of them)"
        return "null input" if input_value(self.view, aggregation, row) is None else ""

    def places(self, rows: Sequence[Row]) -> dict[int, str]:
        """Return by the ``id`` of a row which part of the result its value is; empty where values are added up."""
        if self.aggregation.kind not in aggregates.CHOSEN:
            return {}
        if self.aggregation.by is None:
            return self._chosen(rows, "value")
        slots: dict[str, list[Row]] = {}
        for row in rows:
            slots.setdefault(str(self._buckets(row)[0]), []).append(row)
        return {place: name for bucket, own in slots.items() for place, name in self._chosen(own, bucket).items()}

    def event(self, row: Row, reason: str = "", place: str = "") -> Event:
        value = input_value(self.view, self.aggregation, row)
        late = self._late(row)
        off_by = str(self.distance(row)) if self._outside(row) else ""
        off_by = off_by if late is None else f"known only at {iso(late)}"
        return Event(self.time(row), value, self._columns(row), reason, off_by, place)

    def _outside(self, row: Row) -> str:
        """Return on which side of the window an event is, or that it was known too late; empty if it is in it."""
        known = known_time(self.source, row)
        if in_window(self.aggregation.window, self.time(row), known, self.window.head):
            return ""
        if known is None:
            return f"null {self.source.known_at}: nobody says when it was known"
        if self._late(row) is not None:
            return f"known only at or after the as-of, {iso(self.window.head)}"
        if self.time(row) >= self.window.head:
            return f"at or after the as-of, {iso(self.window.head)}"
        return f"before the tail, {iso(self.window.tail)}"

    def _late(self, row: Row) -> datetime | None:
        """Return when an event was known that happened in the window, if that was not before the as-of."""
        time, known, head = self.time(row), known_time(self.source, row), self.window.head
        is_late = known is not None and known >= head and in_window(self.aggregation.window, time, time, head)
        return known if is_late else None

    def _buckets(self, row: Row) -> list[Any]:
        return [bucket for bucket in self.aggregation.buckets if in_bucket(self.view, self.aggregation, row, bucket)]

    def _chosen(self, rows: Sequence[Row], name: str) -> dict[int, str]:
        if not rows:
            return {}
        inputs = {id(row): inputs_of(self.view, self.aggregation, [row])[0] for row in rows}
        k = self.aggregation.k
        chosen = aggregates.CHOSEN[self.aggregation.kind](list(inputs.values()), k)
        order = {id(event): name if k is None else f"{name} {number}" for number, event in enumerate(chosen, 1)}
        return {row: order[id(event)] for row, event in inputs.items() if id(event) in order}

    def _columns(self, row: Row) -> dict[str, Any]:
        """Return what the feature reads of a row, and what says its order, its identity and when it was known."""
        names = [name for part in self.aggregation.expressions() for name in column_names(part)]
        roles = (self.source.known_at, self.source.sequence, self.source.event_id)
        order = [name for name in roles if name is not None]
        return {name: row[name] for name in dict.fromkeys([*order, *names]) if name != self.source.event_time}
