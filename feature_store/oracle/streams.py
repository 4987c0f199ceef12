"""What the value of a stream view is at any T, and when it can be known.

The time before E, the end of the newest partition whose batch tiles were available before T, belongs to the batch; the
time from E on to the stream, or to batch tiles that landed later: the same events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from feature_store.features import Feature
from feature_store.oracle.expressions import EPOCH, Row
from feature_store.oracle.snapshots import (
    Keys,
    Values,
    empty_values,
    entity_values,
    event_source,
    is_present,
    keys_of,
)
from feature_store.oracle.windows import tail
from feature_store.status import Status
from feature_store.views import FeatureView
from feature_store.windows import Window

Span = tuple[datetime, datetime]
"""From (inclusive), to (exclusive)."""


def stream_as_of(view: FeatureView, time: datetime) -> datetime:
    """Return A: T rounded down to a whole second, less the lag that ``available_after`` states."""
    second = timedelta(seconds=1)
    return EPOCH + (time - EPOCH) // second * second - timedelta(microseconds=view.available_after)


def stream_values(view: FeatureView, rows: Sequence[Row], time: datetime) -> Values:
    """Return the values of one entity, whose rows are given, at T: those of a snapshot at A.

    Nothing need arrive for them to change: events leave the window as T goes on.
    """
    return entity_values(view, rows, stream_as_of(view, time))


@dataclass(frozen=True)
class StreamHistory:
    """What is known of a stream view.

    Attributes:
        rows: every event, of all entities.
        landed: starts of the partitions of which batch tiles landed.
        told: spans of event time of which the stream told everything.
    """

    rows: Sequence[Row]
    landed: Sequence[datetime]
    told: Sequence[Span] = ()


def batch_end(view: FeatureView, history: StreamHistory, time: datetime) -> datetime | None:
    """Return E: the newest end of a landed partition that was available (``batch_after`` later) strictly before T."""
    ends = [start + timedelta(microseconds=view.cadence) for start in history.landed]
    delay = timedelta(microseconds=view.batch_after or 0)
    return max((end for end in ends if end + delay < time), default=None)


def is_known(view: FeatureView, history: StreamHistory, window: Window, time: datetime) -> bool:
    """Whether everything from the window's tail to A was told of, partition by partition, by who owns it."""
    end, as_of = batch_end(view, history, time), stream_as_of(view, time)
    if end is None:
        return False
    first, step = tail(window, as_of), timedelta(microseconds=view.cadence)
    if not event_source(view).truncated:
        first = max(first, event_source(view).start)  # there was nothing before
    start = EPOCH + (first - EPOCH) // step * step
    while start < as_of:
        is_told = start >= end and is_covered((start, min(start + step, as_of)), history.told)
        if start not in history.landed and not is_told:
            return False
        start += step
    return True


def is_covered(span: Span, spans: Sequence[Span]) -> bool:
    """Whether spans together cover one."""
    reached, end = span
    for start, until in sorted(spans):
        if start <= reached:
            reached = max(reached, until)
    return reached >= end


def stream_status(
    view: FeatureView, feature: Feature, history: StreamHistory, rows: Sequence[Row], time: datetime
) -> Status:
    """Return the status at T of a stored feature of an entity, whose rows are given.

    The entity is PRESENT if an event counts in any window of which everything is known.
    """
    if batch_end(view, history, time) is None or not all_known(view, feature, history, time):
        return Status.NOT_COMPUTED
    known = [each for each in view.features if each.aggregation and all_known(view, each, history, time)]
    return Status.PRESENT if is_present(view, rows, stream_as_of(view, time), known) else Status.EMPTY


def all_known(view: FeatureView, feature: Feature, history: StreamHistory, time: datetime) -> bool:
    """Whether everything is known that a feature, or any it is derived from, counts."""
    if feature.aggregation is not None and feature.aggregation.window is not None:
        return is_known(view, history, feature.aggregation.window, time)
    return all(all_known(view, view.feature(read), history, time) for read in feature.reads)


def read_stream(view: FeatureView, history: StreamHistory, keys: Keys, time: datetime) -> dict[str, tuple[Any, Status]]:
    """Return every stored feature of an entity at T with its status; null where not computed."""
    own = [] if None in keys else [row for row in history.rows if keys_of(view, row) == keys]
    values, empty = stream_values(view, own, time), empty_values(view)
    found: dict[str, tuple[Any, Status]] = {}
    for feature in view.stored_features:
        status = stream_status(view, feature, history, own, time)
        value = {Status.PRESENT: values[feature.name], Status.EMPTY: empty[feature.name]}.get(status)
        found[feature.name] = value, status
    return found
