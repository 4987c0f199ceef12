"""Stream views: their value at any T, and when it can be known.

The time before E, the end of the newest partition whose batch tiles were available before T, belongs to the batch; the
time from E on to the stream, or to batch tiles that landed later: the same events.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from feature_store.model.features import Feature
from feature_store.model.views import FeatureView
from feature_store.oracle.expressions import EPOCH, Row
from feature_store.oracle.rows import Keys, keys_of
from feature_store.oracle.snapshots import (
    Values,
    aggregate_value,
    event_source,
    events_of,
    is_present,
    with_derived,
)
from feature_store.oracle.windows import tail
from feature_store.status import Status

Span = tuple[datetime, datetime]
"""From (inclusive), to (exclusive)."""


def stream_as_of(view: FeatureView, time: datetime) -> datetime:
    """Return A: T rounded down to a whole second, less the lag that ``available_after`` states."""
    second = timedelta(seconds=1)
    return EPOCH + (time - EPOCH) // second * second - timedelta(microseconds=view.available_after)


def stream_values(view: FeatureView, rows: Sequence[Row], time: datetime) -> Values:
    """Return the values of one entity, whose rows are given, at T: those of a snapshot at A.

    Nothing need arrive for them to change: events leave the window as T goes on. A sum that does not fit Int64 is left
    out, and so is what is derived from it: a snapshot fails, but no request must fail for one entity of many.
    """
    events, as_of = events_of(view, rows), stream_as_of(view, time)
    values: Values = {}
    for feature in view.features:
        if feature.aggregation is not None:
            with suppress(OverflowError):
                values[feature.name] = aggregate_value(view, feature, events, as_of)
    return with_derived(view, values)


@dataclass(frozen=True)
class StreamHistory:
    """The facts known of a stream view.

    Attributes:
        rows: every event, of all entities.
        landed: by the start of each partition whose batch tiles landed, the features that they know.
        covered: spans of event time of which the stream has every event.
    """

    rows: Sequence[Row]
    landed: Mapping[datetime, Collection[str]]
    covered: Sequence[Span] = ()


def batch_end(view: FeatureView, history: StreamHistory, time: datetime) -> datetime | None:
    """Return E: the newest end of a landed partition that was available (``batch_after`` later) strictly before T."""
    ends = [start + timedelta(microseconds=view.cadence) for start in history.landed]
    delay = timedelta(microseconds=view.batch_after or 0)
    return max((end for end in ends if end + delay < time), default=None)


def lacking(view: FeatureView, feature: Feature, history: StreamHistory, time: datetime) -> list[datetime]:
    """Return the starts of the partitions of which an aggregate's owner lacks events that its window counts at T.

    What is before E the batch owns; from E on the stream, or batch tiles that landed later.
    """
    assert feature.aggregation is not None
    assert feature.aggregation.window is not None
    as_of, source = stream_as_of(view, time), event_source(view)
    first = tail(feature.aggregation.window, as_of)
    if not source.truncated:
        first = max(first, source.start)  # there was nothing before
    end, step = batch_end(view, history, time), timedelta(microseconds=view.cadence)
    start = EPOCH + (first - EPOCH) // step * step
    found: list[datetime] = []
    while start < as_of:
        by_stream = end is not None and start >= end and is_covered((start, min(start + step, as_of)), history.covered)
        if feature.name not in history.landed.get(start, ()) and not by_stream:
            found.append(start)
        start += step
    return found


def is_covered(span: Span, spans: Sequence[Span]) -> bool:
    """Whether spans together cover one."""
    reached, end = span
    for start, until in sorted(spans):
        if start <= reached:
            reached = max(reached, until)
    return reached >= end


def is_complete(view: FeatureView, feature: Feature, history: StreamHistory, time: datetime) -> bool:
    """Whether nothing is lacking that a stored feature, or any it is derived from, counts at T."""
    if batch_end(view, history, time) is None:
        return False  # a stream alone answers nothing
    if feature.aggregation is not None:
        return not lacking(view, feature, history, time)
    return all(is_complete(view, view.feature(read), history, time) for read in feature.reads)


def read_stream(view: FeatureView, history: StreamHistory, keys: Keys, time: datetime) -> dict[str, tuple[Any, Status]]:
    """Return every stored feature of an entity at T with its status; null where not computed.

    The entity is PRESENT if an event counts for any feature of which nothing is lacking.
    """
    own = [] if None in keys else [row for row in history.rows if keys_of(view, row) == keys]
    complete = [feature for feature in view.stored_features if is_complete(view, feature, history, time)]
    known = Status.PRESENT if is_present(view, own, stream_as_of(view, time), complete) else Status.EMPTY
    values = stream_values(view, own, time)
    found: dict[str, tuple[Any, Status]] = dict.fromkeys(view.fingerprints, (None, Status.NOT_COMPUTED))
    return found | {feature.name: (values[feature.name], known) for feature in complete if feature.name in values}
