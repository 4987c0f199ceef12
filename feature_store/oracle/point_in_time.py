"""What a request or a spine row gets at T: which partition, which values, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from feature_store.oracle.expressions import Row
from feature_store.oracle.on_read import on_read_value
from feature_store.oracle.snapshots import Keys, Values, empty_values
from feature_store.services import FeatureService
from feature_store.status import Status
from feature_store.views import FeatureView


@dataclass(frozen=True)
class Partition:
    """One snapshot that was written.

    Attributes:
        as_of: the instant that its values describe.
        available_at: as-of + the view's ``available_after``, whenever it was written.
        values: by keys, of every entity with a counted event (of a table view: with a row that holds).
        features: that it holds; one that was added to the view later it does not.
        published_at: when it was loaded into the online store; None: never.
    """

    as_of: datetime
    available_at: datetime
    values: Mapping[Keys, Values]
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


def read_view(
    view: FeatureView, partition: Partition | None, keys: Keys, time: datetime
) -> dict[str, tuple[Any, Status]]:
    """Return every feature of an entity at T with its status; an on-read feature has the status of what it reads."""
    empty = empty_values(view)
    statuses = {name: status_at(view, name, partition, keys, time) for name in empty}
    row = empty if partition is None else partition.values.get(keys, empty)
    stored = {name: value_at(name, status, row, empty) for name, status in statuses.items()}
    found: dict[str, tuple[Any, Status]] = {}
    for feature in view.features:
        if feature.is_stored:
            found[feature.name] = stored[feature.name], statuses[feature.name]
        else:
            status = statuses[feature.reads[0]] if feature.reads else Status.PRESENT
            found[feature.name] = on_read_value(feature, stored, time), status
    return found


def value_at(name: str, status: Status, row: Row, empty: Row) -> Any:
    """Return a stored feature: of the row where it is PRESENT, its empty value where EMPTY, else null."""
    return {Status.PRESENT: row.get(name), Status.EMPTY: empty[name]}.get(status)


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
        found = read_view(view, partition, keys, time)
        for name in selection.names:
            output, (value, status) = selection.output_name(name), found[name]
            yield from ((output, value), (f"{output}__status", status))
        yield f"{selection.prefix}__as_of", None if partition is None else partition.as_of
