"""Rows: the facts that are read of one, its entity, and its rank among other rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from feature_store.model.sources import EventSource, Source
from feature_store.model.views import FeatureView
from feature_store.oracle.expressions import Row, as_type

Keys = tuple[Any, ...]


def keys_of(view: FeatureView, row: Row) -> Keys:
    """Return the entity of a row: its keys as typed values, never joined as text."""
    return tuple(row[column] for column in view.key_columns)


def known_time(source: EventSource, row: Row) -> datetime | None:
    """Return when an event was known: once it had happened and its ``known_at`` had come; None if either is not said.

    An event of a source that declares no ``known_at`` is known when it happens.
    """
    times = [row[source.event_time], *([] if source.known_at is None else [row[source.known_at]])]
    return None if None in times else max(times)


def rank(source: Source, row: Row) -> list[tuple[bool, Any]]:
    """Return what rows are ordered by: time, sequence, every other column as declared; null is before everything."""
    time = source.event_time if isinstance(source, EventSource) else source.time
    first = [time] if source.sequence is None else [time, source.sequence]
    names = [*first, *(name for name in source.columns if name not in first)]
    values = [as_type(row[name], source.columns[name]) for name in names]
    return [(value is not None, value) for value in values]
