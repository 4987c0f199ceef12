"""The partition that answers a request at T, and everything the ledger says of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from feature_assets.explain.explanation import PartitionFacts
from feature_assets.explain.streams import StreamAt, stream_at
from feature_assets.parity.reading import view_plan
from feature_assets.parity.sampling import Instant, is_stale
from feature_assets.parity.text import iso
from feature_store import Feature, FeatureView, Status
from feature_store.fingerprints import stored_column
from feature_store.offline.join.partition_choice import candidates_of, choose_partitions
from feature_store.offline.materialize.reach import floor_to
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.availability import latest_available_at
from feature_store.temporal.durations import format_duration
from feature_store.temporal.instants import from_microseconds, to_microseconds


@dataclass(frozen=True)
class Chosen:
    """The source of the answer to a request at T.

    Attributes:
        facts: what people want to know of it.
        lacking: stored features that it does not hold.
        stream: of a stream view, who owns which tiles.
    """

    facts: PartitionFacts
    lacking: frozenset[str] = frozenset()
    stream: StreamAt | None = None

    def holds(self, feature: Feature) -> bool:
        """Whether there is a partition, and it holds a feature, or for an on-read one what it reads."""
        needed = {feature.name} if feature.is_stored else set(feature.reads)
        return self.facts.as_of is not None and not needed & self.lacking


def choose(store: OfflineStore, view: FeatureView, time: datetime) -> Chosen:
    """Return what a request at T is answered from.

    Args:
        store: the offline store.
        view: the view.
        time: T.

    Raises:
        FingerprintError: it was computed by another definition.
    """
    if view.is_stream:
        stream = stream_at(store, view, time)
        return Chosen(stream.facts, stream.lacking, stream)
    partitions = candidates_of(store.values(view).open(), "promised")
    choice = choose_partitions(view_plan(view).views[0], partitions, np.array([to_microseconds(time)]))
    index = int(choice.index[0])
    if index < 0:
        return Chosen(PartitionFacts(Status.NOT_COMPUTED.name, notes=(_why_none(view, partitions),)))
    row = partitions.row(index, named=True)
    notes = _notes(view, partitions, row, time)
    if is_stale(store, view, Instant(time, row["as_of"], row["available_at"], row)):
        notes.append("what it was computed from has been rewritten since: materialize it again")
    facts = PartitionFacts(
        status=Status(choice.status[0]).name,
        as_of=row["as_of"],
        available_at=row["available_at"],
        landed_at=row["landed_at"],
        published_at=row["published_at"],
        generation=row["generation"],
        rows=row["rows"],
        run_id=row["run_id"],
        ttl=None if view.ttl is None else format_duration(view.ttl),
        expires_at=None if view.ttl is None else from_microseconds(to_microseconds(row["as_of"]) + view.ttl),
        notes=tuple(notes),
    )
    stored = json.loads(row["fingerprints"])
    columns = {
        f.name: stored_column(view.full_name, f.name, f.fingerprint, stored, f.renamed_from)
        for f in view.stored_features
    }
    return Chosen(facts, frozenset(name for name, column in columns.items() if column is None))


def _why_none(view: FeatureView, partitions: pl.DataFrame) -> str:
    if partitions.is_empty():
        return f"nothing of {view.full_name} was ever computed"
    first = partitions.sort("available_at").row(0, named=True)
    return (
        f"no partition is available before T: the first one, as-of {iso(first['as_of'])}, "
        f"is available from {iso(first['available_at'])}"
    )


def _notes(view: FeatureView, partitions: pl.DataFrame, row: dict[str, Any], time: datetime) -> list[str]:
    # The newest as-of that would be available strictly before T if nothing were missing.
    due = floor_to(latest_available_at(to_microseconds(time)) - view.available_after, view.cadence)
    missing = (due - to_microseconds(row["as_of"])) // view.cadence
    if missing <= 0:
        return []
    newest = from_microseconds(due)
    landed = partitions.filter(pl.col("as_of") == newest)
    if landed.height:
        return [f"as-of {iso(newest)} has landed, but was promised for {iso(landed['available_at'][0])} only"]
    return [f"as-of {iso(newest)} would be available by T, but the ledger does not list it ({missing} missing)"]
