"""The second computation: what the specification says the values of some entities are, from their raw rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

import polars as pl

from feature_assets.parity.raw_rows import Keys, Row, raw_frame
from feature_assets.parity.report import Value
from feature_assets.parity.sampling import Instant
from feature_store import Feature, FeatureView, Status
from feature_store.instants import from_microseconds, to_microseconds
from feature_store.offline.reach import reach_start
from feature_store.offline.store import OfflineStore
from feature_store.oracle import snapshots, tables
from feature_store.oracle.on_read import on_read_value


@dataclass(frozen=True)
class Recomputed:
    """Recomputed values of some entities at one as-of.

    Attributes:
        view: the view.
        as_of: the instant they describe.
        rows: the raw rows of each entity.
        values: stored features of each entity, with the status that a reader is told.
    """

    view: FeatureView
    as_of: datetime
    rows: Mapping[Keys, list[Row]]
    values: Mapping[Keys, Mapping[str, Value]]

    def scale(self, keys: Keys, feature: Feature) -> float:
        """Return the sum of absolute inputs of a feature, which bounds the rounding of floats."""
        return snapshots.float_scale(self.view, feature, self.rows[keys], self.as_of)


def recompute(
    store: OfflineStore, view: FeatureView, entities: Iterable[Keys], instant: Instant, most_rows: int
) -> Recomputed:
    """Recompute a view for some entities in plain Python, from the landed rows of its source alone.

    Args:
        store: the offline store.
        view: the view.
        entities: keys without nulls.
        instant: T, and the partition that it is answered from.
        most_rows: entities with the most rows are left out until all others together have no more than this.
    """
    start = from_microseconds(reach_start(view, to_microseconds(instant.as_of)))
    wanted = list(entities)
    frame = raw_frame(store, view, wanted, start, instant.as_of)
    frames = {keys: frame.head(0) for keys in wanted} | frame.partition_by(view.keys, as_dict=True)
    left = _within(frames, most_rows)
    rows = {keys: own.to_dicts() for keys, own in left.items()}
    values = {
        keys: entity_values(view, own, instant.as_of, instant.available_at, instant.time) for keys, own in rows.items()
    }
    return Recomputed(view, instant.as_of, rows, values)


def _within(frames: Mapping[Keys, pl.DataFrame], most_rows: int) -> dict[Keys, pl.DataFrame]:
    """Return entities that together have no more rows than allowed, the smallest first."""
    smallest_first = sorted(frames.items(), key=lambda item: item[1].height)
    sums = accumulate(frame.height for _keys, frame in smallest_first)
    return {keys: frame for (keys, frame), total in zip(smallest_first, sums, strict=True) if total <= most_rows}


def entity_values(
    view: FeatureView, rows: list[Row], as_of: datetime, available_at: datetime, time: datetime
) -> dict[str, Value]:
    """Return every feature of one entity at T from its raw rows.

    Args:
        view: the view.
        rows: raw rows of the entity.
        as_of: up to where events count at T.
        available_at: of that partition.
        time: T, which on-read features depend on.
    """
    if view.is_table:
        found = tables.table_snapshot(view, rows, as_of, available_at)
    else:
        found = snapshots.snapshot(view, rows, as_of)  # of a stream view too: its as-of is anywhere
    status = Status.PRESENT if found else Status.EMPTY
    values = dict(next(iter(found.values()), None) or snapshots.empty_values(view))
    values |= {f.name: on_read_value(f, values, time) for f in view.features if not f.is_stored}
    return {name: Value(value, status) for name, value in values.items()}
