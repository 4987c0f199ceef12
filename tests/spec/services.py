"""Feature services over the views, what was written for them, and rows that ask for it around every bound of T."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, cached_property
from random import Random
from typing import Any, Final

import polars as pl

from feature_store import FeatureService, FeatureView
from feature_store.model.request_features import ComputedFeature, SelectedFeature
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.point_in_time import History, Partition, partition_at
from feature_store.oracle.services import computed_value, inputs_of
from feature_store.oracle.snapshots import Keys, Snapshot, Values, keys_of
from feature_store.oracle.streams import StreamHistory
from feature_store.status import Status
from tests.spec.comparing import assert_row, wanted_snapshot
from tests.spec.requests import INPUTS, answered_in_role, of_inputs, over
from tests.spec.stores import RUN, land
from tests.spec.worlds import MICROSECOND, Range, Row, World, rows_of

UNSEEN: Final = ("nobody", "ever")
TICKS: Final = [timedelta(0), MICROSECOND, -MICROSECOND]


@cache
def service_of(view: FeatureView) -> FeatureService:
    """Return a service that reads a view twice: as it is, and some of its features in another role; and computes."""
    other = view[answered_in_role(view)].as_role("other", left="other_left", right="other_right")
    aliased = {view.features[0].name: "called"}
    computed = [*over(view, role="other"), *of_inputs()]
    return FeatureService(
        view.name, 1, "spec", "All of a view", [view.all().alias(**aliased), other, *computed], inputs=INPUTS
    )


@cache
def at_first(view: FeatureView) -> FeatureView:
    """Return a view as it was before its last two aggregates or fields that nothing reads were added."""
    read = {name for feature in view.features for name in feature.reads}
    newer = [f.name for f in view.features if f.kind in ("aggregate", "field") and f.name not in read][-2:]
    return replace(view, features=tuple(feature for feature in view.features if feature.name not in newer))


@dataclass(frozen=True, eq=False)
class LazySnapshot(Mapping[Keys, Values]):
    """What the oracle says of one world at one as-of, once somebody asks."""

    view: FeatureView
    world: World
    as_of: datetime
    available_at: datetime

    @cached_property
    def values_by_key(self) -> Snapshot:
        """The snapshot."""
        return wanted_snapshot(self.view, self.world.rows, self.as_of, self.available_at)

    def __getitem__(self, keys: Keys) -> Values:
        return self.values_by_key[keys]

    def __iter__(self) -> Iterator[Keys]:
        return iter(self.values_by_key)

    def __len__(self) -> int:
        return len(self.values_by_key)


@dataclass(frozen=True)
class Written:
    """A partition that was written.

    Attributes:
        start: of the partition.
        as_of: its end.
        available_at: as promised.
        view: as it was then.
        published_at: when it was published; None: never.
        is_early: whether it was computed before late rows landed.
        replaced: whether it was written again when they had.
    """

    start: datetime
    as_of: datetime
    available_at: datetime
    view: FeatureView
    published_at: datetime | None = None
    is_early: bool = False
    replaced: bool = False

    def of(self, world: World) -> Partition:
        """Return what it holds of one world."""
        known = without_late_rows(world) if self.is_early else world
        values = LazySnapshot(self.view, known, self.as_of, self.available_at)
        names = frozenset(self.view.fingerprints)
        return Partition(self.as_of, self.available_at, values, names, self.published_at, self.replaced)


def world_known_to(history: History, world: World, time: datetime, availability: str = "promised") -> World:
    """Return what of a world the partition was computed from that answers at T; all of it, if none does."""
    if isinstance(history, StreamHistory):
        return world
    partition = partition_at(history, time, availability)
    return world if partition is None else partition.values.world


def without_late_rows(world: World) -> World:
    """Return what of a world had landed when partitions were first computed."""
    return replace(world, rows=[row for place, row in enumerate(world.rows) if place % 3])


def write_with_holes(store: OfflineStore, span: Range, worlds: Sequence[World], rng: Random) -> list[Written]:
    """Write some of the partitions, in any order; maybe some of them again, when late rows have landed.

    Earlier ones may be written before some features existed. Some are published, once or twice.
    """
    starts = [start for start in span.starts if rng.choice([True, True, True, False])] or span.starts[:1]
    newer_from = rng.choice(span.starts)
    early = rng.sample(starts, rng.choice([0, 1, len(starts)]))
    first = _write(store, span, [without_late_rows(world) for world in worlds], early, newer_from, rng) if early else []
    later = [start for start in starts if start not in early or rng.choice([True, True, False])]
    if any(start >= newer_from for start in early):
        newer_from = span.start  # once a newer feature is stored, whoever lacks it is refused
    last = _write(store, span, worlds, rng.sample(later, len(later)), newer_from, rng)
    corrected = {partition.start for partition in last}
    early_ones = [replace(each, is_early=True, replaced=each.start in corrected) for each in first]
    return sorted([*early_ones, *last], key=lambda partition: partition.as_of)


def _write(
    store: OfflineStore, span: Range, worlds: Sequence[World], starts: list[datetime], newer_from: datetime, rng: Random
) -> list[Written]:
    """Land the rows of some worlds, write partitions in an order, and publish some of them when all are written."""
    land(store, span, rows_of(worlds), rng)
    delay = timedelta(microseconds=span.view.available_after)
    values = store.values(span.view)
    written: list[Written] = []
    if not span.view.is_table:
        compute_tiles(store, span.view, span.start, span.end, RUN)
    for start in sorted(starts, key=lambda start: start >= newer_from):
        view = span.view if start >= newer_from else at_first(span.view)
        end = start + span.cadence
        compute_values(store, view, start, end, RUN)
        published = rng.choice([None, end, end + delay, end + delay + MICROSECOND, end + 3 * span.cadence])
        written.append(Written(start, end, end + delay, view, published))
    version = values.delta_version()
    for partition in written:
        if partition.published_at is not None:
            assert version is not None
            values.ledger.mark_published(partition.as_of, partition.published_at, version, version)
    return written


def instants(span: Range, written: Sequence[Written]) -> list[datetime]:
    """Return every T at which an answer changes, and those just before and after."""
    found = {span.start, span.end + 30 * span.cadence}
    for partition in written:
        found |= {partition.as_of, partition.available_at, partition.published_at or partition.as_of}
    ends = {instant for partition in written for instant in expiry(span, partition)}
    return sorted({instant + tick for instant in found for tick in TICKS} | ends)


def expiry(span: Range, partition: Written) -> list[datetime]:
    """Return the T at which a partition expires, and those just before and after; none if it never does."""
    ttl = span.view.ttl
    return [] if ttl is None else [partition.as_of + timedelta(microseconds=ttl) + tick for tick in TICKS]


def in_some_order(worlds: Sequence[World], rng: Random) -> list[World]:
    """Return all worlds that one request asks about: in any order, some of them again."""
    asked = [*worlds, *(rng.choice(worlds) for _ in range(rng.choice([0, 1, 5])))]
    rng.shuffle(asked)
    return asked


def some_keys(world: World, rng: Random) -> dict[str, Any]:
    """Return the keys of a request: of a row of the world, of nobody, or null, in both roles."""
    pairs = [(row["left"], row["right"]) for row in world.rows]
    left, right = rng.choice([*pairs, *pairs, UNSEEN, (None, "a")])
    other_left, other_right = rng.choice([*pairs, UNSEEN, ("a", None)])
    return {
        "world": world.number,
        "left": left,
        "right": right,
        "other_left": other_left,
        "other_right": other_right,
    }


def assert_service_row(
    service: FeatureService,
    worlds: Mapping[FeatureView, World],
    request: Mapping[str, Any],
    row: Mapping[str, Any],
    wanted: Mapping[str, Any],
) -> None:
    """Fail where a row of a training set or of a response is not what the oracle says.

    Args:
        service: that gave it.
        worlds: by view, the world that it was computed from.
        request: keys and inputs.
        row: the row.
        wanted: what the oracle says.
    """
    where = f"{service.name} for {dict(request)}"
    for output in service.outputs:
        status = f"{output.name}__status"
        assert row[status] == wanted[status], f"{where}: {status} is {Status(row[status])!r}, not {wanted[status]!r}"
    for selection in service.selections:
        view = selection.view
        as_of = f"{selection.prefix}__as_of"
        assert row[as_of] == wanted[as_of], f"{where}: {as_of}"
        names = {name: selection.output_name(name) for name in selection.names}
        keys = tuple(request[selection.key_column(key)] for key in view.keys)
        own: list[Row] = [event for event in worlds[view].rows if keys_of(view, event) == keys]
        stored = {f.name: names[f.name] for f in view.stored_features if f.name in names}
        present = {name for name, output in stored.items() if row[f"{output}__status"] == Status.PRESENT}
        found = {name: row[output] for name, output in stored.items()}
        expected = {name: wanted[output] for name, output in stored.items()}
        if present:
            assert_row(view, found, expected, own, row[as_of], where, present)
        for name in stored.keys() - present:
            assert found[name] == expected[name], f"{where}: {name}: {found[name]!r} is not {expected[name]!r}"
        for name in names.keys() - stored.keys():
            assert row[names[name]] == wanted[names[name]], (
                f"{where}: {name}: {row[names[name]]!r}, not {wanted[names[name]]!r}"
            )
    for output in service.outputs:
        if isinstance(output, ComputedFeature):
            value = _computed(service, output, request, row, wanted)
            assert _same(row[output.name], value), f"{where}: {output.name} is {row[output.name]!r}, not {value!r}"


def _computed(
    service: FeatureService,
    output: ComputedFeature,
    request: Mapping[str, Any],
    row: Mapping[str, Any],
    wanted: Mapping[str, Any],
) -> Any:
    """Return a request feature from the row's own values, which may differ from the oracle's by rounding."""
    names = {
        (each.selection.prefix, each.feature.name): each.name
        for each in service.outputs
        if isinstance(each, SelectedFeature)
    }
    places = [(read.selection.prefix, read.feature.name) for read in output.reads]
    if not all(place in names for place in places):
        return wanted[output.name]  # what it reads is exact
    found = [names[place] for place in places]
    reads = {
        read.name: (row[name], Status(row[f"{name}__status"])) for read, name in zip(output.reads, found, strict=True)
    }
    return computed_value(output, reads, inputs_of(service, request))[0]


def _same(value: Any, wanted: Any) -> bool:
    """Whether two values are equal to the last bit: a float is no integer, and 0.0 is not -0.0."""
    plain = list(value) if isinstance(value, pl.Series) else value
    return plain == wanted and (not isinstance(plain, float) or math.copysign(1.0, plain) == math.copysign(1.0, wanted))
