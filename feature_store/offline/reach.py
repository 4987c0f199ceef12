"""How far back a view reaches into its source or its tiles."""

from __future__ import annotations

from datetime import datetime

from feature_store.offline.instants import from_microseconds, to_microseconds
from feature_store.sources import EventSource
from feature_store.views import FeatureView


def reach_start(view: FeatureView, as_of: int) -> int:
    """Return the first instant that an as-of of a view reads; both in microseconds.

    Before its source's start there is nothing to read, unless the source dropped rows that were there.
    """
    start = to_microseconds(view.source.start)
    if isinstance(view.source, EventSource):
        if view.has_all_history:
            return start
        tail = min(window.tail(as_of) for window in view.windows)
        return tail if view.source.truncated else max(tail, start)
    return start if view.row_ttl is None else max(as_of - view.row_ttl, start)


def tiles_start(view: FeatureView) -> datetime:
    """Return the start of the first tile partition that the first partition of a view reads."""
    first = to_microseconds(view.start) + view.cadence
    return from_microseconds(floor_to(reach_start(view, first), view.cadence))


def floor_to(instant: int, span: int) -> int:
    """Return the last multiple of a span up to an instant; microseconds."""
    return instant // span * span
