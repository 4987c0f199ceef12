"""The reading of a stream view of a plan: batch tiles and stream tiles of every entity, merged relative to T.

The batch tiles of the generation that is served at T own the time before its as-of E; from E on the stream's tiles
count. Both are merged by the code of the point-in-time join, at A = T floored to a second, less the view's lag. Without
a usable generation, without a stream, or with one that began after E, nothing is known of some of the time before A:
NOT_COMPUTED. So is, of one entity, a sum that does not fit Int64; and an entity whose stream row no longer keeps the
small tiles that an A this old needs, which concerns only a T well in the past (see ``serving.streams.writer``). An
entity one of whose two rows is damaged has nothing that can be merged: DAMAGED.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from feature_store.codec.byte_strings import Ragged
from feature_store.codec.stream_tiles import StreamTiles, concat_tiles
from feature_store.codec.tile_codec import TileLayout
from feature_store.columns import Array, Column, Mask
from feature_store.engines.numpy.restrict_plan import feature_names, restrict_plan, used_fields
from feature_store.engines.numpy.stream_merge import Merged, merge
from feature_store.errors import FingerprintError
from feature_store.fingerprints import stored_column
from feature_store.plans.known_spans import known_at, latest, needed_states
from feature_store.plans.service_plan import PlanFeature, PlanView
from feature_store.plans.stream_plan import RowCount, StreamPlan
from feature_store.status import Status
from feature_store.temporal.windows import Window
from serving.read.damage import count_damaged
from serving.read.snapshot_decoder import Values, nulls
from serving.read.values import all_true
from serving.stores.generations import Generation
from serving.stores.rows import RowsRead
from serving.stores.streams import Stream


class StreamDecoder:
    """The reading of one stream view.

    Args:
        view: of a plan.
        plan: its stream plan.
        features: its stored features that are wanted.
    """

    def __init__(self, view: PlanView, plan: StreamPlan, features: Sequence[PlanFeature]) -> None:
        self._name = view.view
        self._plan = plan
        self._features = features
        self._mergeable: _Mergeable | None = None

    def as_of(self, read: RowsRead, time: int) -> int | None:
        """Return A, microseconds UTC; None: nothing is usable at T."""
        return None if read.generation is None or read.stream is None else self._as_of(time)

    def values(self, keyed: Mask, entities: Ragged, read: RowsRead, time: int) -> dict[str, Values]:
        """Return the stored features that are wanted, with the value of an entity without events where there is none.

        Args:
            keyed: whether each entity has a key.
            entities: the encoded keys of those that have one.
            read: their rows.
            time: T, microseconds UTC.

        Raises:
            FingerprintError: the store holds tiles of another definition.
        """
        count, generation, stream = len(keyed), read.generation, read.stream
        if generation is None or stream is None or stream.since > generation.as_of:
            return {feature.name: nulls(feature, count, Status.NOT_COMPUTED) for feature in self._features}
        mergeable = self._mergeable_of(generation, stream)
        values = {feature.name: nulls(feature, count, Status.NOT_COMPUTED) for feature in mergeable.lacking}
        if not mergeable.held:
            return values
        batch = mergeable.batch.decode(read.rows, entities, mergeable.fields).spread(keyed)
        live = stream.layout.decode(read.stream_rows, entities, mergeable.fields).spread(keyed)
        damaged = batch.damaged | live.damaged
        # Tiles of another generation of the same view are whole, and wrong here.
        damaged[np.flatnonzero(batch.present)[batch.complete_since != generation.as_of]] = True
        owned = _only(batch.tiles, mergeable.of_levels(batch.tiles, batch.tiles.start < generation.as_of))
        newer = _only(live.tiles, mergeable.of_levels(live.tiles, live.tiles.start >= generation.as_of))
        as_of = self._as_of(time)
        merged = merge(mergeable.plan, concat_tiles([owned, newer]), np.full(count, as_of, np.int64))
        pruned = np.flatnonzero(live.present)[live.complete_since > mergeable.exact_at(as_of)]
        counted = merged.counted_in(count for count, since in mergeable.counts.items() if as_of >= since)
        codes = np.where(counted, np.uint8(Status.PRESENT), np.uint8(Status.EMPTY))
        codes[pruned] = Status.NOT_COMPUTED
        for feature in mergeable.held:
            is_known = as_of >= mergeable.features[feature.name]
            values[feature.name] = (
                _known(merged, feature.name, pruned, codes) if is_known else nulls(feature, count, Status.NOT_COMPUTED)
            )
        if np.count_nonzero(damaged):
            count_damaged(self._name, int(np.count_nonzero(damaged)))
            values |= {feature.name: _damaged(*values[feature.name], damaged) for feature in mergeable.held}
        return values

    def _as_of(self, time: int) -> int:
        return int(self._plan.as_of(np.array([time], np.int64))[0])

    def _mergeable_of(self, generation: Generation, stream: Stream) -> _Mergeable:
        """Return what can be merged from a generation and a stream, all of the definition the plan was made for."""
        known = self._mergeable
        if known is None or known.generation is not generation or known.stream is not stream:
            known = self._mergeable = self._compare(generation, stream)
        return known

    def _compare(self, generation: Generation, stream: Stream) -> _Mergeable:
        if generation.tiles is None:
            raise FingerprintError(f"{self._name}: the store holds no tiles: run `features apply`, and load it again")
        stored = {field.name: field.fingerprint for field in generation.layout.features}
        wanted = {feature.name for feature in self._features}
        plan = restrict_plan(self._plan, [generation.tiles, stream.layout], wanted)
        mergeable = feature_names(plan)
        held: list[PlanFeature] = []
        lacking: list[PlanFeature] = []
        for feature in self._features:
            name, mark, former = feature.name, feature.fingerprint, feature.renamed_from
            loaded = stored_column(self._name, name, mark, stored, former) is not None
            (held if loaded and feature.name in mergeable else lacking).append(feature)
        return _Mergeable(
            generation=generation,
            stream=stream,
            batch=generation.tiles,
            plan=plan,
            fields=used_fields(plan),
            held=held,
            lacking=lacking,
            features=_features_known_at(plan, generation),
            counts={count: _known_at(plan, generation, count.window, [count.column]) for count in plan.row_counts},
        )


@dataclass(frozen=True)
class _Mergeable:
    """The part of a view that can be merged.

    Attributes:
        generation, stream: from which.
        batch: layout of the generation's tiles.
        plan: for merging.
        fields: of the states that merging needs.
        held: features with values.
        lacking: those without.
        features: by feature, the first A at which it is known.
        counts: by row count, the first A at which its window is known: unknown events make nobody PRESENT.
    """

    generation: Generation
    stream: Stream
    batch: TileLayout
    plan: StreamPlan
    fields: frozenset[str]
    held: Sequence[PlanFeature]
    lacking: Sequence[PlanFeature]
    features: Mapping[str, int]
    counts: Mapping[RowCount, int]

    def of_levels(self, tiles: StreamTiles, chosen: Mask) -> Mask:
        """Return which of some chosen tiles are of levels that are merged."""
        all_levels = {*self.batch.levels, *self.stream.layout.levels}
        return chosen if all_levels == {*self.plan.levels} else chosen & np.isin(tiles.span, self.plan.levels)

    def exact_at(self, as_of: int) -> int:
        """Return since when a stream row must keep every level: below one that is not merged, more tiles count."""
        kept = self.stream.layout.levels
        longer = [high for low, high in pairwise(self.plan.levels) if any(low < span < high for span in kept)]
        return as_of // longer[-1] * longer[-1] if longer else as_of


def _features_known_at(plan: StreamPlan, generation: Generation) -> dict[str, int]:
    known = {
        each.name: _known_at(plan, generation, each.window, {column for slot in each.slots for column in slot})
        for each in plan.aggregates
    }
    for each in plan.derived:
        known[each.name] = max(known[read] for read in each.reads)
    return known


def _known_at(plan: StreamPlan, generation: Generation, window: Window, columns: Collection[str]) -> int:
    """Return the first A at which a window is known by the tiles of a generation."""
    # With a lag longer than the batch's, A may lie before the end of the tiles, and small ones count too.
    to_end = generation.available_at - generation.as_of >= plan.lag
    since = latest(generation.known_from, needed_states(plan, window, columns, to_end=to_end))
    return int(known_at(plan, window, np.array([since]))[0])


def _only(tiles: StreamTiles, chosen: Mask) -> StreamTiles:
    return tiles if all_true(chosen) else tiles.take(chosen)


def _known(merged: Merged, feature: str, pruned: Array, codes: Array) -> Values:
    """Return a feature and its status; null and NOT_COMPUTED where tiles were pruned or a sum does not fit Int64."""
    column = merged.values[feature]
    unfit = merged.unfit.get(feature)
    if unfit is None and not len(pruned):
        return column, codes
    valid, codes = column.valid.copy(), codes.copy()
    valid[pruned] = False
    if unfit is not None:
        valid[unfit] = False
        codes[unfit] = Status.NOT_COMPUTED
    return Column(column.values, valid), codes


def _damaged(column: Column, codes: Array, damaged: Mask) -> Values:
    """Return a feature and its status, null and DAMAGED where a row is damaged."""
    valid, codes = column.valid.copy(), codes.copy()
    valid[damaged] = False
    codes[damaged] = Status.DAMAGED
    return Column(column.values, valid), codes
