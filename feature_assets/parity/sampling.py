"""Which instants and entities a parity check looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import polars as pl

from feature_assets.parity.raw_rows import Keys, recent_entities
from feature_store import FeatureView
from feature_store.offline.instants import from_microseconds, to_microseconds
from feature_store.offline.materialize import stale_partitions, stale_tiles
from feature_store.offline.reach import floor_to, reach_start
from feature_store.offline.store import OfflineStore

_POOL: Final = 100
"""Entities of which a sample is drawn."""


@dataclass(frozen=True)
class Sample:
    """How much a parity check looks at.

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
    """A time of a request, and the partition that it is answered from.

    Attributes:
        time: T.
        partition: the ledger's entry.
    """

    time: datetime
    partition: dict[str, Any]

    @property
    def as_of(self) -> datetime:
        """As-of of the partition."""
        return self.partition["as_of"]


def choose_instants(
    store: OfflineStore, view: FeatureView, now: datetime, sample: Sample
) -> tuple[list[Instant], list[str]]:
    """Return the newest usable instant and others at random (none: there are none), and notes on what was left out.

    Left out are partitions whose inputs were written anew since: their values are due to be computed again, and the
    raw rows of today say nothing about them.
    """
    available = store.values(view).ledger.partitions().filter(pl.col("available_at") < now).sort("available_at")
    dice = Random(sample.seed)  # noqa: S311 - a sample, no secret
    newest, *earlier = list(range(available.height))[::-1] or [None]
    order = [] if newest is None else [newest, *dice.sample(earlier, len(earlier))]
    found: list[Instant] = []
    stale = 0
    for place in order:
        if len(found) == sample.instants:
            break
        partition = available.row(place, named=True)
        if is_stale(store, view, partition):
            stale += 1
            continue
        found.append(Instant(_time(view, dice, available, place, now), partition))
    notes = [f"{stale} partitions left out: their inputs changed since they were computed"] if stale else []
    return found, notes


def is_stale(store: OfflineStore, view: FeatureView, partition: dict[str, Any]) -> bool:
    """Return whether the inputs of a partition changed since it was computed."""
    start, as_of = partition["partition_start"], partition["as_of"]
    if partition["inputs_hash"] is not None and stale_partitions(store, view, start, as_of):
        return True
    if view.is_table:
        return False
    first = floor_to(reach_start(view, to_microseconds(as_of)), view.cadence)
    return bool(stale_tiles(store, view, from_microseconds(first), as_of))


def choose_entities(store: OfflineStore, view: FeatureView, instant: Instant, sample: Sample) -> list[Keys]:
    """Return entities of a partition, and some that have rows within its reach, whether it holds them or not."""
    dice = Random(sample.seed)  # noqa: S311 - a sample, no secret
    reach = to_microseconds(instant.as_of) - reach_start(view, to_microseconds(instant.as_of))
    end = instant.as_of - timedelta(microseconds=view.cadence) * dice.randrange(max(reach // view.cadence, 1))
    recent = sorted(recent_entities(store, view, end - timedelta(microseconds=view.cadence), end, _POOL))
    chosen = dice.sample(recent, min(len(recent), sample.entities // 2))
    stored = [keys for keys in _stored_entities(store, view, instant.partition, sample) if keys not in chosen]
    return chosen + dice.sample(stored, min(len(stored), sample.entities - len(chosen)))


def _stored_entities(store: OfflineStore, view: FeatureView, partition: dict[str, Any], sample: Sample) -> list[Keys]:
    """Return about ``_POOL`` entities of a partition, chosen by a hash so that few are ever in memory."""
    opened = store.values(view).open()
    rows = opened.scan(opened.partitions.filter(pl.col("partition_start") == partition["partition_start"]))
    one_in = max(partition["rows"] // _POOL, 1)
    chosen = pl.struct(view.keys).hash(sample.seed) % one_in == 0
    return sorted(rows.filter(chosen).select(view.keys).collect().rows())


def _time(view: FeatureView, dice: Random, available: pl.DataFrame, place: int, now: datetime) -> datetime:
    """Return a T at which a partition is the newest available one, and not a day too old: often the first of these."""
    instants: list[datetime] = available["available_at"].to_list()
    first = to_microseconds(instants[place]) + 1
    until = to_microseconds(instants[place + 1] if place + 1 < len(instants) else now)
    last = max(first, min(until, first + view.cadence))
    return from_microseconds(first if dice.random() < 0.3 else dice.randint(first, last))
