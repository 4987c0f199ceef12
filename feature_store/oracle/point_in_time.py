"""Point-in-time reads: the partition that a request or a spine row gets at T, its values, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from feature_store.model.views import FeatureView
from feature_store.oracle.expressions import Row
from feature_store.oracle.on_read import on_read_value
from feature_store.oracle.snapshots import Keys, Values, empty_values
from feature_store.oracle.streams import StreamHistory, batch_end, read_stream, stream_as_of
from feature_store.status import Status


@dataclass(frozen=True)
class Partition:
    """One snapshot that was written; of one that was corrected, there are several with the same as-of.

    Attributes:
        as_of: the instant that its values describe.
        available_at: as-of + the view's ``available_after``, whenever it was written.
        values: by keys, of every entity with a counted event (of a table view: with a row that holds).
        features: that it holds; one that was added to the view later it does not.
        published_at: when it was loaded into the online store; None: never.
        replaced: whether a later write took its place: training sets read that one, but this one may have been served.
    """

    as_of: datetime
    available_at: datetime
    values: Mapping[Keys, Values]
    features: frozenset[str]
    published_at: datetime | None = None
    replaced: bool = False


History = Sequence[Partition] | StreamHistory
"""The written partitions of a view, and of a stream view what is known of it."""


def usable_from(partition: Partition, availability: str) -> datetime | None:
    """Return from when a partition can be used: as promised, or when it was really served; None: never."""
    if availability == "promised":
        return None if partition.replaced else partition.available_at
    published = partition.published_at
    return None if published is None else max(published, partition.available_at)


def partition_at(partitions: Sequence[Partition], time: datetime, availability: str = "promised") -> Partition | None:
    """Return the newest partition that was usable strictly before T; of one as-of that which was published last.

    Partitions are listed in the order in which they were written.
    """
    starts = [(partition, usable_from(partition, availability)) for partition in partitions]
    usable = [partition for partition, start in starts if start is not None and start < time]
    return max(usable[::-1], key=lambda each: (each.as_of, each.published_at or each.as_of), default=None)


def is_expired(view: FeatureView, partition: Partition, time: datetime) -> bool:
    """Whether the as-of is more than the view's ``ttl`` before T."""
    return view.ttl is not None and time - partition.as_of > timedelta(microseconds=view.ttl)


def status_at(view: FeatureView, stored: str, partition: Partition | None, keys: Keys, time: datetime) -> Status:
    """Return the status of a stored feature of an entity at T."""
    if partition is None:
        return Status.NOT_COMPUTED
    if is_expired(view, partition, time):
        return Status.EXPIRED
    if stored not in partition.features:
        return Status.NOT_COMPUTED
    return Status.PRESENT if None not in keys and keys in partition.values else Status.EMPTY


def read_partition(
    view: FeatureView, partition: Partition | None, keys: Keys, time: datetime
) -> dict[str, tuple[Any, Status]]:
    """Return every stored feature of an entity at T with its status."""
    empty = empty_values(view)
    row = empty if partition is None else partition.values.get(keys, empty)
    statuses = {name: status_at(view, name, partition, keys, time) for name in empty}
    return {name: (value_at(name, status, row, empty), status) for name, status in statuses.items()}


def value_at(name: str, status: Status, row: Row, empty: Row) -> Any:
    """Return a stored feature: of the row where it is PRESENT, its empty value where EMPTY, else null."""
    return {Status.PRESENT: row.get(name), Status.EMPTY: empty[name]}.get(status)


def with_on_read(
    view: FeatureView, stored: Mapping[str, tuple[Any, Status]], time: datetime
) -> dict[str, tuple[Any, Status]]:
    """Add the on-read features, each with the status of the feature it reads; one of T alone is PRESENT."""
    values = {name: value for name, (value, _status) in stored.items()}
    found = dict(stored)
    for feature in view.features:
        if not feature.is_stored:
            status = stored[feature.reads[0]][1] if feature.reads else Status.PRESENT
            found[feature.name] = on_read_value(feature, values, time), status
    return found


def read_view(
    view: FeatureView, history: History, keys: Keys, time: datetime, availability: str = "promised"
) -> tuple[dict[str, tuple[Any, Status]], datetime | None]:
    """Return every feature of an entity at T with its status, and the as-of of the values."""
    if isinstance(history, StreamHistory):
        as_of = None if batch_end(view, history, time) is None else stream_as_of(view, time)
        return with_on_read(view, read_stream(view, history, keys, time), time), as_of
    partition = partition_at(history, time, availability)
    stored = read_partition(view, partition, keys, time)
    return with_on_read(view, stored, time), None if partition is None else partition.as_of
