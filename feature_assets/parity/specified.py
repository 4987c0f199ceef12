"""The specified answer to a request, from what the ledgers list and from raw rows: the second computation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from feature_assets.parity.raw_rows import Keys, Row
from feature_assets.parity.report import Value, Values
from feature_store import Feature, FeatureView
from feature_store.fingerprints import stored_column
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.view_tables import tile_fingerprints
from feature_store.oracle.point_in_time import History, Partition, partition_at, read_view
from feature_store.oracle.snapshots import snapshot
from feature_store.oracle.streams import StreamHistory, lacking
from feature_store.oracle.tables import table_snapshot
from feature_store.plans.stream_plan import level_name


@dataclass(frozen=True)
class Specified:
    """Facts of a view, whatever its rows are.

    Attributes:
        view: the view.
        history: its partitions, without values; of a stream view which time is covered, without rows.
    """

    view: FeatureView
    history: History

    @staticmethod
    def of(store: OfflineStore, view: FeatureView) -> Specified:
        """Read the ledgers of a view.

        Raises:
            FingerprintError: something was computed by another definition.
        """
        return Specified(view, _stream_history(store, view) if view.is_stream else _partitions(store, view))

    def values(self, keys: Keys, rows: Sequence[Row], time: datetime) -> Values:
        """Return every feature of an entity at T.

        Args:
            keys: of the entity.
            rows: its raw rows, as far back as any window reaches.
            time: T.
        """
        found, _as_of = read_view(self.view, self._with(keys, rows, time), keys, time)
        return {name: Value(value, status) for name, (value, status) in found.items()}

    def lacking(self, feature: Feature, time: datetime) -> list[datetime]:
        """Return the starts of the partitions that keep a stored feature of a stream view from being known at T."""
        assert isinstance(self.history, StreamHistory)
        if feature.aggregation is not None:
            return lacking(self.view, feature, self.history, time)
        return sorted({start for name in feature.reads for start in self.lacking(self.view.feature(name), time)})

    def _with(self, keys: Keys, rows: Sequence[Row], time: datetime) -> History:
        """Return the history with the rows of one entity, or with its values in the partition that T sees."""
        if isinstance(self.history, StreamHistory):
            return replace(self.history, rows=rows)
        chosen = partition_at(self.history, time)
        if chosen is None:
            return []
        # An entity was counted by the features that there were when the partition was computed.
        view = replace(self.view, features=tuple(f for f in self.view.features if f.name in chosen.features))
        found = (
            table_snapshot(view, rows, chosen.as_of, chosen.available_at)
            if view.is_table
            else snapshot(view, rows, chosen.as_of)
        )
        return [replace(chosen, values={keys: found[keys]} if keys in found else {})]


def _partitions(store: OfflineStore, view: FeatureView) -> list[Partition]:
    landed = store.values(view).ledger.partitions()
    marks = view.fingerprints
    return [
        Partition(row["as_of"], row["available_at"], {}, _held(view, marks, row["fingerprints"]))
        for row in landed.to_dicts()
    ]


def _stream_history(store: OfflineStore, view: FeatureView) -> StreamHistory:
    marks = tile_fingerprints(view)
    landed = store.tiles(view).ledger.partitions()
    known = {row["partition_start"]: _known(view, _held(view, marks, row["fingerprints"])) for row in landed.to_dicts()}
    writes = store.stream_copy(view.full_name).open().writes.to_dicts()
    whole = [row for row in writes if _held(view, marks, row["fingerprints"]) == marks.keys()]
    return StreamHistory([], known, [(row["start"], row["end"]) for row in whole])


def _held(view: FeatureView, marks: Mapping[str, str], fingerprints: str) -> frozenset[str]:
    """Return which features, or states of tiles, something holds by the fingerprints that its ledger lists."""
    stored = json.loads(fingerprints)
    return frozenset(name for name, mark in marks.items() if stored_column(view.full_name, name, mark, stored))


def _known(view: FeatureView, states: frozenset[str]) -> frozenset[str]:
    """Return the aggregates that can be merged from tiles with some states and levels."""
    found: set[str] = set()
    for feature in view.features:
        if feature.aggregation is not None and feature.aggregation.window is not None:
            levels = {level_name(span) for span in view.levels if span <= feature.aggregation.window.hop}
            if states >= feature.aggregation.tile_columns() | levels:
                found.add(feature.name)
    return frozenset(found)
