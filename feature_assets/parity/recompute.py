"""The second computation: what the specification says the values of some entities are, from their raw rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

import polars as pl

from feature_assets.parity.raw_rows import Keys, Row, raw_frame
from feature_assets.parity.report import Values
from feature_assets.parity.sampling import Instant
from feature_assets.parity.specified import Specified
from feature_store import Feature, FeatureView
from feature_store.offline.materialize.reach import reach_start
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle import snapshots
from feature_store.temporal.instants import from_microseconds, to_microseconds


@dataclass(frozen=True)
class Recomputed:
    """Recomputed values of some entities at one T.

    Attributes:
        view: the view.
        as_of: the instant they describe.
        rows: the raw rows of each entity.
        values: of each entity, with the status that a reader gets.
    """

    view: FeatureView
    as_of: datetime
    rows: Mapping[Keys, list[Row]]
    values: Mapping[Keys, Values]

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
    start, specified = from_microseconds(reach_start(view, to_microseconds(instant.as_of))), Specified.of(store, view)
    wanted = list(entities)
    frame = raw_frame(store, view, wanted, start, instant.as_of)
    frames = {keys: frame.head(0) for keys in wanted} | frame.partition_by(view.keys, as_dict=True)
    left = _within(frames, most_rows)
    rows = {keys: own.to_dicts() for keys, own in left.items()}
    values = {keys: specified.values(keys, own, instant.time) for keys, own in rows.items()}
    return Recomputed(view, instant.as_of, rows, values)


def _within(frames: Mapping[Keys, pl.DataFrame], most_rows: int) -> dict[Keys, pl.DataFrame]:
    """Return entities that together have no more rows than allowed, the smallest first."""
    smallest_first = sorted(frames.items(), key=lambda item: item[1].height)
    sums = accumulate(frame.height for _keys, frame in smallest_first)
    return {keys: frame for (keys, frame), total in zip(smallest_first, sums, strict=True) if total <= most_rows}
