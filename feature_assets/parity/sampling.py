"""The instants and entities that a parity check looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import polars as pl

from feature_assets.parity.raw_rows import Keys, recent_entities
from feature_store import FeatureView
from feature_store.offline.materialize.reach import floor_to, reach_start
from feature_store.offline.materialize.stale import stale_partitions, stale_tiles
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.streams import stream_as_of
from feature_store.temporal.availability import first_use, is_usable
from feature_store.temporal.instants import from_microseconds, to_microseconds

_POOL: Final = 100
"""Entities of which a sample is drawn."""


@dataclass(frozen=True)
class Sample:
    """The size of a parity check.

    Attributes:
        entities: per instant.
        instants: the newest, and others at random.
        rows: raw rows of these entities per instant, at most: plain Python takes its time.
        seed: of the random choice.
    """

    entities: int = 6
    instants: int = 3
    rows: int = 20_000
    seed: int = 0


@dataclass(frozen=True)
class Instant:
    """A time of a request, and what it is answered from.

    Attributes:
        time: T.
        as_of: up to where events count.
        available_at: of the partition that is read; rows of a table that landed later do not count.
        partition: the ledger's entry of that partition; of a stream view, of its newest batch tiles.
    """

    time: datetime
    as_of: datetime
    available_at: datetime
    partition: dict[str, Any]


def choose_instants(
    store: OfflineStore, view: FeatureView, now: datetime, sample: Sample
) -> tuple[list[Instant], list[str]]:
    """Return the newest usable instant and others at random (none: there are none), and notes on what was left out.

    Left out are instants whose inputs have been rewritten since they were computed: their values are due to be computed
    again, and the raw rows of today say nothing about them.
    """
    table = store.tiles(view) if view.is_stream else store.values(view)
    available = table.ledger.partitions().filter(is_usable(pl.col("available_at"), now)).sort("available_at")
    until = min(now, recorded_until(view, store.source(view.source.asset), table)) if view.is_stream else now
    dice = Random(sample.seed)  # noqa: S311 - a sample, no secret
    spans = [_span(view, available, place, until) for place in range(available.height)]
    newest, *earlier = [place for place, (first, last) in enumerate(spans) if first <= last][::-1] or [None]
    order = [] if newest is None else [newest, *dice.sample(earlier, len(earlier))]
    found: list[Instant] = []
    stale = 0
    for place in order:
        if len(found) == sample.instants:
            break
        instant = _instant(view, available.row(place, named=True), _time(dice, *spans[place]))
        if is_stale(store, view, instant):
            stale += 1
        else:
            found.append(instant)
    notes = [f"{stale} instants left out: their inputs changed since they were computed"] if stale else []
    return found, notes


def _instant(view: FeatureView, partition: dict[str, Any], time: datetime) -> Instant:
    as_of = stream_as_of(view, time) if view.is_stream else partition["as_of"]
    return Instant(time, as_of, partition["available_at"], partition)


def _span(view: FeatureView, available: pl.DataFrame, place: int, until: datetime) -> tuple[int, int]:
    """Return the first and the last T at which a partition is the newest available one, and not a cadence too old."""
    instants: list[datetime] = available["available_at"].to_list()
    first = first_use(to_microseconds(instants[place]))
    last = min(to_microseconds(instant) for instant in (until, *instants[place + 1 : place + 2]))
    return first, min(last, first + view.cadence)


def _time(dice: Random, first: int, last: int) -> datetime:
    return from_microseconds(first if dice.random() < 0.3 else dice.randint(first, last))


def recorded_until(view: FeatureView, *tables: PartitionedTable) -> datetime:
    """Return the last T of a stream view up to whose as-of all of some tables have landed."""
    ends = [table.ledger.partitions()["as_of"].max() for table in tables]
    least = min((end for end in ends if isinstance(end, datetime)), default=view.start)
    return least + timedelta(microseconds=view.available_after)


def is_stale(store: OfflineStore, view: FeatureView, instant: Instant) -> bool:
    """Return whether the inputs of what is read at an instant changed since it was computed."""
    partition, as_of = instant.partition, to_microseconds(instant.as_of)
    is_computed = not view.is_stream and partition["inputs_hash"] is not None
    if is_computed and stale_partitions(store, view, partition["partition_start"], partition["as_of"]):
        return True
    if view.is_table:
        return False
    first = floor_to(reach_start(view, as_of), view.cadence)
    last = -floor_to(-as_of, view.cadence)
    return bool(stale_tiles(store, view, from_microseconds(first), from_microseconds(last)))


def choose_entities(
    store: OfflineStore, view: FeatureView, instant: Instant, sample: Sample, *, of_values: bool
) -> list[Keys]:
    """Return entities of a partition, and some that have rows within its reach, whether it holds them or not.

    Args:
        store: the offline store.
        view: the view.
        instant: at which they are looked at.
        sample: how many.
        of_values: whether the instant's partition is one of values; otherwise all have rows within its reach.
    """
    dice = Random(sample.seed)  # noqa: S311 - a sample, no secret
    reach = to_microseconds(instant.as_of) - reach_start(view, to_microseconds(instant.as_of))
    end = instant.as_of - timedelta(microseconds=view.cadence) * dice.randrange(max(reach // view.cadence, 1))
    recent = sorted(recent_entities(store, view, end - timedelta(microseconds=view.cadence), end, _POOL))
    chosen = dice.sample(recent, min(len(recent), sample.entities // 2))
    held = _stored_entities(store, view, instant.partition, sample) if of_values else recent
    stored = [keys for keys in held if keys not in chosen]
    return chosen + dice.sample(stored, min(len(stored), sample.entities - len(chosen)))


def _stored_entities(store: OfflineStore, view: FeatureView, partition: dict[str, Any], sample: Sample) -> list[Keys]:
    """Return about ``_POOL`` entities of a partition, chosen by a hash so that few are ever in memory."""
    opened = store.values(view).open()
    rows = opened.scan(opened.partitions.filter(pl.col("partition_start") == partition["partition_start"]))
    one_in = max(partition["rows"] // _POOL, 1)
    chosen = pl.struct(view.keys).hash(sample.seed) % one_in == 0
    return sorted(rows.filter(chosen).select(view.keys).collect().rows())
