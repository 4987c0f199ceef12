"""The features of a view that can be computed at an as-of from the tiles that landed.

Tiles are built by the definition of their day. One that was built before a feature was added lacks its states, or is
too long for its window. Where a window reaches such a tile its feature is left out, and with it all that
reads it; the others are computed from the states that they need, whatever else a tile holds.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import accumulate

import polars as pl

from feature_store.model.features import Feature
from feature_store.model.views import FeatureView
from feature_store.offline.materialize.reach import window_start
from feature_store.offline.tables.view_tables import tile_fingerprints
from feature_store.plans.stream_plan import level_name, level_span
from feature_store.temporal.instants import from_microseconds
from feature_store.temporal.tile_span import tile_span


class Computable:
    """The computable part of a view.

    Args:
        view: the view.
        tiles: the landed partitions of its tiles, or of its source: of a table view everything can be computed.
    """

    def __init__(self, view: FeatureView, tiles: pl.DataFrame) -> None:
        self._view = view
        self._starts: list[int] = tiles["partition_start"].to_physical().to_list()
        self._ends: list[int] = tiles["as_of"].to_physical().to_list()
        self._built_by: list[str] = tiles["fingerprints"].to_list()
        self._views: dict[frozenset[str], FeatureView] = {frozenset(): view}

    def view_at(self, as_of: int) -> FeatureView:
        """Return the view with the features that can be computed at an as-of (microseconds) only; maybe with none."""
        lacking = self.lacking(as_of)
        if lacking not in self._views:
            kept = tuple(feature for feature in self._view.features if feature.name not in lacking)
            self._views[lacking] = replace(self._view, features=kept)
        return self._views[lacking]

    def lacking(self, as_of: int) -> frozenset[str]:
        """Return the features that cannot be computed at an as-of."""
        unheld = {name for name in self._unheld if any(True for _ in self._without(name, as_of))}
        return frozenset(f.name for f in self._view.features if unheld and unheld & self._read_by(f))

    def reasons(self, as_of: int) -> Iterator[str]:
        """Yield which aggregates cannot be computed at an as-of, why not, and what to do."""
        without: dict[tuple[int, int], list[str]] = {}
        for name in self._unheld:
            places = list(self._without(name, as_of))
            if places:
                without.setdefault((self._starts[places[0]], self._ends[places[-1]]), []).append(name)
        for span, names in without.items():
            first, last = map(from_microseconds, span)
            yield (
                f"{self._view.full_name}: {', '.join(names)} left out: tiles of [{first}, {last}) were built before "
                "they were declared: build them again, then the values"
            )

    @cached_property
    def _unheld(self) -> Mapping[str, list[int]]:
        """By aggregate that some tiles do not hold, how many of the partitions before each one do not."""
        if self._view.is_table:
            return {}
        own = tile_fingerprints(self._view)
        definitions: dict[str, dict[str, str]] = {text: json.loads(text) for text in set(self._built_by)}
        found: dict[str, list[int]] = {}
        for feature in self._view.features:
            if feature.aggregation is not None:
                without = {text for text, stored in definitions.items() if not self._holds(stored, own, feature)}
                if without:
                    found[feature.name] = list(accumulate((text in without for text in self._built_by), initial=0))
        return found

    def _holds(self, stored: Mapping[str, str], own: Mapping[str, str], feature: Feature) -> bool:
        assert feature.aggregation is not None
        window = feature.aggregation.window
        needed = set(feature.aggregation.tile_columns())
        if self._view.is_stream and window is not None:
            needed.add(level_name(window.hop))  # at the end of a partition no shorter tiles count
        elif window is not None:
            longest = tile_span(self._view.cadence, (window,))
            if any(longest % (level_span(name) or 1) for name in stored):
                return False
        return all(stored.get(name) == own[name] for name in needed)

    def _without(self, name: str, as_of: int) -> Iterator[int]:
        """Yield the partitions that do not hold an aggregate, of those that its window reaches."""
        aggregation = self._view.feature(name).aggregation
        assert aggregation is not None
        start = window_start(self._view, aggregation.window, as_of)
        first, last = bisect_right(self._ends, start), bisect_left(self._starts, as_of)
        before = self._unheld[name]
        if before[last] > before[first]:
            yield from (place for place in range(first, last) if before[place + 1] > before[place])

    def _read_by(self, feature: Feature) -> set[str]:
        """Return the aggregates that a feature is computed from, itself included."""
        found = {feature.name}
        for read in feature.reads:
            found |= self._read_by(self._view.feature(read))
        return found
