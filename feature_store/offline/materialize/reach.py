"""The reach of a view back into its source or its tiles."""

from __future__ import annotations

from datetime import datetime

from feature_store.model.sources import EventSource
from feature_store.model.views import FeatureView
from feature_store.temporal.instants import from_microseconds, to_microseconds
from feature_store.temporal.windows import Window


def reach_start(view: FeatureView, as_of: int) -> int:
    """Return the first instant that an as-of of a view reads; both in microseconds."""
    if not view.is_table:
        return min(window_start(view, aggregation.window, as_of) for aggregation in view.aggregations)
    start = to_microseconds(view.source.start)
    return start if view.row_ttl is None else max(as_of - view.row_ttl, start)


def window_start(view: FeatureView, window: Window | None, as_of: int) -> int:
    """Return the first instant that a window of a view reads at an as-of; None: all history.

    Before its source's start there is nothing to read, unless the source dropped rows that were there.
    """
    start = to_microseconds(view.source.start)
    if window is None:
        return start
    is_cut = isinstance(view.source, EventSource) and view.source.truncated
    return window.tail(as_of) if is_cut else max(window.tail(as_of), start)


def tiles_start(view: FeatureView) -> datetime:
    """Return the start of the first tile partition that the first partition of a view reads."""
    first = to_microseconds(view.start) + view.cadence
    return from_microseconds(floor_to(reach_start(view, first), view.cadence))


def floor_to(instant: int, span: int) -> int:
    """Return the last multiple of a span up to an instant; microseconds."""
    return instant // span * span
