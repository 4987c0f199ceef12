"""Who owns which tiles of a stream view for each row of a spine, and which features cannot be known there.

At T, batch tiles own the time before E, the end of the newest partition available before T. From E on, a partition's
span belongs to the stream where its copy tells everything from the partition's start up to A; elsewhere to the batch
tiles of later partitions: the same events make the same tiles. A feature whose window reaches time that neither tells
of, in the states that it needs, is NOT_COMPUTED.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from feature_store.columns import Mask
from feature_store.fingerprints import stored_column
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.join.coverage import Instants, Slots, slots_of
from feature_store.offline.join.partition_choice import newest_usable
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.stream_copy import OpenStreamCopy
from feature_store.plans.known_spans import known_at, needed_states
from feature_store.plans.service_plan import PlanView
from feature_store.plans.stream_plan import RowCount, StreamPlan
from feature_store.status import Status
from feature_store.temporal.tile_levels import floor_to
from feature_store.temporal.windows import Window


@dataclass(frozen=True)
class OpenStream:
    """One look at what is kept of a stream view: its batch tiles, and the copy of what the stream wrote."""

    tiles: OpenTable
    copy: OpenStreamCopy


@dataclass(frozen=True)
class StreamChoice:
    """The tiles of a stream view that each spine row may see.

    Attributes:
        status: NOT_COMPUTED without any available partition, else PRESENT; int8.
        head: A per row, int64 microseconds.
        batch_end: E per row; any instant where there is none.
        slots: who owns the partitions from E on.
        writes: the writes of the stream whose tiles are used.
        lacking: by feature, the rows with an E where it cannot be known.
        uncounted: by row count of the plan, the rows with an E where it cannot be known: events in its window do not
            make the entity PRESENT.
    """

    status: np.ndarray[tuple[int], np.dtype[np.int8]]
    head: Instants
    batch_end: Instants
    slots: Slots
    writes: pl.DataFrame
    lacking: Mapping[str, Mask]
    uncounted: Mapping[RowCount, Mask]

    @property
    def is_read(self) -> Mask:
        """Whether tiles are read for a row."""
        return self.status == Status.PRESENT

    @property
    def as_of(self) -> pl.Series:
        """A per row; null without an available partition."""
        return pl.select(pl.when(pl.Series(self.is_read)).then(pl.Series(self.head).cast(INSTANT))).to_series()

    def is_streams(self, row: Instants, start: Instants) -> Mask:
        """Return whether a tile of a row that starts at an instant is the stream's, not the batch's."""
        until, known = self.slots.at(self.slots.stream_until, start)
        slot_end = floor_to(start, self.slots.cadence) + self.slots.cadence
        return (start >= self.batch_end[row]) & known & (until >= np.minimum(slot_end, self.head[row]))


def choose_stream(
    view: PlanView, plan: StreamPlan, opened: OpenStream, usable: pl.DataFrame, time: Instants
) -> StreamChoice:
    """Choose for each T what is read of a stream view.

    Args:
        view: the view as the service reads it.
        plan: its stream plan.
        opened: what is kept of it.
        usable: partitions of batch tiles by whose ends E is chosen; see ``candidates_of``.
        time: T per row, int64 microseconds.

    Raises:
        FingerprintError: tiles were built by another definition of a state.
    """
    head, index = plan.as_of(time), newest_usable(usable, time)
    status = np.where(index < 0, Status.NOT_COMPUTED, Status.PRESENT).astype(np.int8)
    ends = np.append(usable["as_of"].to_physical().to_numpy(), 0)
    reached = _reached(plan, opened.tiles.partitions, head[index >= 0])
    holders = _Holders(view, plan, [*reached["fingerprints"], *opened.copy.writes["fingerprints"]])
    writes = holders.of(opened.copy.writes, frozenset(plan.fingerprints))
    covered = writes.select(pl.col("start", "end").to_physical()).to_numpy().reshape(-1, 2)
    slots = slots_of(plan.cadence, _starts(reached), covered)
    choice = StreamChoice(status, head, ends[index], slots, writes, {}, {})
    unknown = _Unknown(plan, choice, reached, holders)
    return replace(choice, lacking=unknown.features(), uncounted=unknown.counts())


def _reached(plan: StreamPlan, partitions: pl.DataFrame, head: Instants) -> pl.DataFrame:
    """Return the partitions that some window reaches at some A."""
    if not len(head):
        return partitions.clear()
    first = min(window.tail(int(head.min())) for window in plan.windows)
    as_of, start = pl.col("as_of").to_physical(), pl.col("partition_start").to_physical()
    return partitions.filter(as_of > first, start < int(head.max()))


def _starts(partitions: pl.DataFrame) -> Instants:
    return partitions["partition_start"].to_physical().to_numpy()


class _Holders:
    """The partitions and writes that hold each state and level, by the fingerprints that the ledgers list."""

    def __init__(self, view: PlanView, plan: StreamPlan, texts: Iterable[str]) -> None:
        self._states: dict[str, set[str]] = {}
        for text in set(texts):
            stored: dict[str, str] = json.loads(text)
            of_plan = plan.fingerprints.items()
            self._states[text] = {name for name, own in of_plan if stored_column(view.view, name, own, stored)}

    def of(self, entries: pl.DataFrame, needed: frozenset[str]) -> pl.DataFrame:
        """Return the entries that hold everything that is needed."""
        texts = [text for text, states in self._states.items() if needed <= states]
        return entries.filter(pl.col("fingerprints").is_in(texts))


class _Unknown:
    """The rows with an E in which something cannot be known."""

    def __init__(self, plan: StreamPlan, choice: StreamChoice, partitions: pl.DataFrame, holders: _Holders) -> None:
        self._plan, self._choice, self._partitions, self._holders = plan, choice, partitions, holders
        self._found: dict[tuple[Window, frozenset[str]], Mask] = {}

    def features(self) -> dict[str, Mask]:
        """Return the rows by feature."""
        rows: dict[str, Mask] = {}
        for aggregate in self._plan.aggregates:
            rows[aggregate.name] = self._rows(aggregate.window, {name for slot in aggregate.slots for name in slot})
        for derived in self._plan.derived:
            rows[derived.name] = np.logical_or.reduce([rows[read] for read in derived.reads])
        return rows

    def counts(self) -> dict[RowCount, Mask]:
        """Return the rows by row count."""
        return {count: self._rows(count.window, {count.column}) for count in self._plan.row_counts}

    def _rows(self, window: Window, columns: set[str]) -> Mask:
        key = (window, frozenset(columns))
        if key not in self._found:
            whole, newest = (
                self._choice.slots.mask(_starts(self._holders.of(self._partitions, needed)))
                for needed in (needed_states(self._plan, window, columns, to_end=to_end) for to_end in (True, False))
            )
            self._found[key] = self._choice.is_read & ~_is_known(self._plan, self._choice, window, whole, newest)
        return self._found[key]


def _is_known(plan: StreamPlan, choice: StreamChoice, window: Window, whole: Mask, newest: Mask) -> Mask:
    """Return for which rows everything from a window's tail to A is told of.

    Args:
        plan: of the view.
        choice: E, A and the slots.
        window: the window.
        whole: the slots of which there are batch tiles with everything that it needs of whole partitions.
        newest: those with everything that it needs of the partition of A.
    """
    slots, head, end = choice.slots, choice.head, choice.batch_end
    tail = floor_to(head - window.over, window.hop)
    first = floor_to(tail if plan.history_start is None else np.maximum(tail, plan.history_start), plan.cadence)
    last = floor_to(head, plan.cadence)
    is_partial = (head > last) & (last >= first)
    batch = head >= known_at(plan, window, slots.known_from(whole, np.minimum(end, last)))
    told = whole | (slots.stream_until == slots.starts + plan.cadence)
    later = slots.all_of(told, np.maximum(first, end), last)
    until, exists = slots.at(slots.stream_until, head)
    by_stream = (until >= head) & (last >= end)
    return batch & later & (~is_partial | (exists & (by_stream | slots.at(newest, head)[0])))
