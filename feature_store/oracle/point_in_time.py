"""What a request or a spine row gets at T: which partition, which values, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from feature_store.features import Feature
from feature_store.oracle.expressions import Row
from feature_store.oracle.on_read import on_read_value
from feature_store.oracle.snapshots import Keys, Snapshot, Values, empty_values
from feature_store.services import FeatureService
from feature_store.status import Status
from feature_store.views import FeatureView


@dataclass(frozen=True)
class Partition:
    """One snapshot that was written.

    Attributes:
        as_of: the instant that its values describe.
        available_at: as-of + the view's ``available_after``, whenever it was written.
        values: of every entity with a counted event (of a table view: with a row that holds).
        features: that it holds; one that was added to the view later it does not.
        published_at: when it was loaded into the online store; None: never.
    """

    as_of: datetime
    available_at: datetime
    values: Snapshot
    features: frozenset[str]
    published_at: datetime | None = None


def usable_from(partition: Partition, availability: str) -> datetime | None:
    """Return from when a partition can be used: as promised, or when it was really served; None: never."""
    if availability == "promised":
        return partition.available_at
    published = partition.published_at
    return None if published is None else max(published, partition.available_at)


def partition_at(partitions: Sequence[Partition], time: datetime, availability: str = "promised") -> Partition | None:
    """Return the newest partition that was available strictly before T."""
    starts = [(partition, usable_from(partition, availability)) for partition in partitions]
    usable = [partition for partition, start in starts if start is not None and start < time]
    return max(usable, key=lambda partition: partition.as_of, default=None)


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


def values_at(view: FeatureView, partition: Partition | None, keys: Keys, time: datetime) -> Values:
    """Return the stored features of an entity at T: null where not computed or expired, else stored or empty."""
    empty = empty_values(view)
    found: Values = {}
    for name in empty:
        status = status_at(view, name, partition, keys, time)
        row = partition.values[keys] if partition is not None and status == Status.PRESENT else empty
        found[name] = None if status in (Status.NOT_COMPUTED, Status.EXPIRED) else row[name]
    return found


def read_feature(
    view: FeatureView, feature: Feature, partition: Partition | None, keys: Keys, time: datetime
) -> tuple[Any, Status]:
    """Return a feature and its status at T; an on-read feature has the status of the feature it reads."""
    stored = feature.name if feature.is_stored else next(iter(feature.reads), None)
    status = Status.PRESENT if stored is None else status_at(view, stored, partition, keys, time)
    values = values_at(view, partition, keys, time)
    return (values[feature.name] if feature.is_stored else on_read_value(feature, values, time)), status


def service_row(
    service: FeatureService,
    partitions: Mapping[str, Sequence[Partition]],
    row: Row,
    time: datetime,
    availability: str = "promised",
) -> Values:
    """Return what a feature service gives for one request or spine row at T.

    Args:
        service: the service.
        partitions: by the view's full name.
        row: the key columns, as the service names them; a null key is EMPTY.
        time: T, the same for every view of the row.
        availability: ``promised`` or ``actual``.

    Returns:
        Per output its value, ``<output>__status``, and per view ``<prefix>__as_of``.
    """
    return dict(_service_row(service, partitions, row, time, availability))


def _service_row(
    service: FeatureService,
    partitions: Mapping[str, Sequence[Partition]],
    row: Row,
    time: datetime,
    availability: str,
) -> Iterator[tuple[str, Any]]:
    for selection in service.features:
        view = selection.view
        partition = partition_at(partitions[view.full_name], time, availability)
        keys = tuple(row[selection.key_column(key)] for key in view.keys)
        for name in selection.names:
            output = selection.output_name(name)
            value, status = read_feature(view, view.feature(name), partition, keys, time)
            yield from ((output, value), (f"{output}__status", status))
        yield f"{selection.prefix}__as_of", None if partition is None else partition.as_of
