"""Explains one feature of one entity at one time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import polars as pl

from feature_assets.explain.events import listed_events
from feature_assets.explain.explanation import Explanation, Listing, Read, Sides, Tile, WindowContents, WindowFacts
from feature_assets.explain.partitions import Chosen, choose
from feature_assets.explain.sides import read_online, sides_of
from feature_assets.explain.states import tiles_of
from feature_assets.explain.table_rows import listed_rows
from feature_assets.parity.raw_rows import Keys, Row, raw_rows
from feature_assets.parity.reading import offline_values
from feature_assets.parity.report import Place
from feature_assets.parity.sampling import recorded_until
from feature_assets.parity.specified import Specified
from feature_assets.parity.text import iso
from feature_store import Feature, FeatureView, Status
from feature_store.offline.materialize.reach import reach_start
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle import snapshots
from feature_store.temporal.durations import DAY, format_duration
from feature_store.temporal.instants import from_microseconds, to_microseconds

SHOWN: Final = 10
"""Tiles, events and rows of each listing."""

_FURTHEST: Final = 30 * DAY
"""The most outside of a window that events are looked for."""


def explain(
    store: OfflineStore,
    view: FeatureView,
    feature: Feature,
    keys: Mapping[str, Any],
    time: datetime,
    online_url: str | None,
    most: int = SHOWN,
) -> Explanation:
    """Explain the value of a feature.

    Args:
        store: the offline store.
        view: the view.
        feature: of the view.
        keys: of the entity, by key column, none of them null.
        time: T, with a zone.
        online_url: of the online store; None: leave it out.
        most: tiles, events and rows that each listing shows.

    Raises:
        FingerprintError: the stored values were computed by another definition.
        NotComputedError: nothing of the view, or of what it is computed from, was ever written.
    """
    return _Case(store, view, dict(keys), time, online_url, most).explain(feature)


@dataclass
class _Case:
    """One entity at one T; what several features need is read once."""

    store: OfflineStore
    view: FeatureView
    keys: dict[str, Any]
    time: datetime
    online_url: str | None
    most: int

    @property
    def _entity(self) -> Keys:
        return tuple(self.keys[key] for key in self.view.keys)

    def explain(self, feature: Feature) -> Explanation:
        sides = self._sides[feature.name]
        facts = replace(self._chosen.facts, status=(sides.offline.status or Status.PRESENT).name)
        known = self._chosen.holds(feature)
        if facts.as_of is not None and not known:
            note = f"{feature.name} is not known at T: {self._why_lacking(feature)}"
            facts = replace(facts, notes=(*facts.notes, note))
        return Explanation(
            feature=f"{self.view.full_name}.{feature.name}",
            kind=feature.kind,
            dtype=feature.dtype.name,
            logic=feature.logic,
            keys=self.keys,
            time=self.time,
            partition=facts,
            sides=sides,
            contents=self._contents(feature) if known and feature.aggregation is not None else None,
            rows=self._table_rows() if known and feature.kind == "field" else None,
            reads=[self._read(self.view.feature(name)) for name in feature.reads],
        )

    @cached_property
    def _chosen(self) -> Chosen:
        return choose(self.store, self.view, self.time)

    def _as_of(self) -> datetime:
        as_of = self._chosen.facts.as_of
        assert as_of is not None
        return as_of

    @cached_property
    def _specified(self) -> Specified:
        return Specified.of(self.store, self.view)

    @cached_property
    def _rows(self) -> list[Row]:
        """The raw rows that the partition reads."""
        if self._chosen.facts.as_of is None:
            return []
        start = from_microseconds(reach_start(self.view, to_microseconds(self._as_of())))
        return raw_rows(self.store, self.view, [self._entity], start, self._as_of())

    @cached_property
    def _sides(self) -> dict[str, Sides]:
        offline = offline_values(self.store, self.view, [self._entity], self.time)[self._entity]
        online = read_online(self.online_url, self.view, self._entity, self.time, self._chosen.facts.as_of)
        recomputed = self._specified.values(self._entity, self._rows, self.time) if self._is_recorded() else {}
        return sides_of(self.view, Place("", self.keys, self.time), recomputed, offline, online, self._scale)

    def _is_recorded(self) -> bool:
        """Whether there are raw rows up to the as-of: a stream knows of events before they are landed."""
        source = self.store.source(self.view.source.asset)
        return not self.view.is_stream or self.time <= recorded_until(self.view, source)

    def _why_lacking(self, feature: Feature) -> str:
        if not self.view.is_stream:
            return "the partition was computed before it was declared: materialize it again"
        starts = self._specified.lacking(feature, self.time)
        places = (
            f"the partition from {iso(starts[0])}"
            if len(starts) == 1
            else f"{len(starts)} partitions, the first from {iso(starts[0])}"
        )
        return f"its window includes time that neither batch tiles nor the stream covers: {places}"

    def _scale(self, feature: Feature) -> float:
        return snapshots.float_scale(self.view, feature, self._rows, self._as_of())

    def _window(self, feature: Feature) -> WindowFacts:
        """Return the bounds of an aggregate's window."""
        assert feature.aggregation is not None
        window = feature.aggregation.window
        if window is None:
            return WindowFacts(self.view.source.start, self._as_of(), None, None)
        tail = from_microseconds(window.tail(to_microseconds(self._as_of())))
        return WindowFacts(tail, self._as_of(), format_duration(window.over), format_duration(window.hop))

    def _contents(self, feature: Feature) -> WindowContents:
        assert feature.aggregation is not None
        window = self._window(feature)
        span = to_microseconds(window.head) - to_microseconds(window.tail)
        margin = max(self.view.cadence, min(span, _FURTHEST))
        first = from_microseconds(to_microseconds(window.tail) - margin)
        last = from_microseconds(to_microseconds(window.head) + margin)
        rows = raw_rows(self.store, self.view, [self._entity], first, last)
        counted, missed = listed_events(self.view, feature.aggregation, rows, window, self.most)
        tiles = self._tiles(feature, window)
        return WindowContents(window, Listing(tiles[: self.most], len(tiles)), counted, missed, (first, last))

    def _tiles(self, feature: Feature, window: WindowFacts) -> list[Tile]:
        if self._chosen.stream is not None:
            return self._chosen.stream.tiles(feature, self.keys)
        opened = self.store.tiles(self.view).open()
        first = from_microseconds(to_microseconds(window.tail) // self.view.cadence * self.view.cadence)
        inside = pl.col("tile_start").is_between(window.tail, window.head, closed="left")
        own = [pl.col(key) == value for key, value in self.keys.items()]
        frame = opened.scan_some(opened.between(first, window.head)).filter(inside, *own).collect()
        return tiles_of(feature, frame, self.view.tile)

    def _table_rows(self) -> Listing:
        facts = self._chosen.facts
        assert facts.available_at is not None
        start = from_microseconds(reach_start(self.view, to_microseconds(self._as_of())))
        last = from_microseconds(to_microseconds(self._as_of()) + _FURTHEST)
        rows = raw_rows(self.store, self.view, [self._entity], start, last)
        return listed_rows(self.view, rows, self._as_of(), facts.available_at, self.most)

    def _read(self, feature: Feature) -> Read:
        """Explain in short a feature that another one reads."""
        sides = self._sides[feature.name]
        if feature.aggregation is None or not self._chosen.holds(feature):
            return Read(feature.name, feature.logic, sides)
        window = self._window(feature)
        counted, _missed = listed_events(self.view, feature.aggregation, self._rows, window, 0)
        return Read(feature.name, feature.logic, sides, window, counted.total)
