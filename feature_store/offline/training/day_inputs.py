"""The inputs of a training set's day: a hash by which it is known whether building them again could change them.

It follows from the ledgers alone: a row of the day reads, of each view, the newest partition that is usable before its
time. So the day's inputs are the contents of those that are the newest one at some time of the day; of a stream view
all tiles that a window reaches from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from feature_store.offline.join.coverage import slots_of
from feature_store.offline.join.opened_views import Opened
from feature_store.offline.join.partition_choice import Availability, candidates_of, newest_usable
from feature_store.offline.join.stream_choice import OpenStream
from feature_store.plans.service_plan import PlanView, ServicePlan
from feature_store.plans.stream_plan import StreamPlan
from feature_store.temporal.durations import DAY
from feature_store.temporal.instants import from_microseconds, to_microseconds


def day_inputs(
    plan: ServicePlan, opened: Sequence[Opened], days: Iterable[datetime], availability: Availability
) -> dict[date, str]:
    """Return a hash per day of all that its rows can read.

    Args:
        plan: of the service.
        opened: what is kept of its views.
        days: starts of the days.
        availability: see ``Availability``.
    """
    views = [_ViewInputs(view, tables, availability) for view, tables in zip(plan.views, opened, strict=True)]
    return {day.date(): _hash([view.of_day(to_microseconds(day)) for view in views]) for day in days}


class _ViewInputs:
    """The inputs from one view."""

    def __init__(self, view: PlanView, opened: Opened, availability: Availability) -> None:
        self._stream = (view.stream, opened) if isinstance(opened, OpenStream) and view.stream is not None else None
        tables = opened.tiles if isinstance(opened, OpenStream) else opened
        self._usable = candidates_of(tables, availability)
        self._usable_from = self._usable["usable_from"].to_physical().to_numpy()
        self._contents = _contents(self._usable)

    def of_day(self, start: int) -> list[Any]:
        """Return what identifies all that rows with a T in the day can read."""
        changes = self._usable_from[(self._usable_from >= start) & (self._usable_from < start + DAY)]
        read = np.unique(newest_usable(self._usable, np.append(changes + 1, start)))
        partitions = [self._contents[number] for number in read.tolist() if number >= 0]
        if self._stream is None or not partitions:
            return partitions
        return [partitions, _stream_inputs(*self._stream, start)]


def _stream_inputs(plan: StreamPlan, opened: OpenStream, start: int) -> list[Any]:
    first_head, head = plan.as_of(np.array([start, start + DAY])).tolist()
    first = min(window.tail(first_head) for window in plan.windows)
    ends, starts = pl.col("as_of").to_physical(), pl.col("partition_start").to_physical()
    reached = opened.tiles.partitions.filter(ends > first, starts < head)
    covered = opened.copy.writes.select(pl.col("start", "end").to_physical()).to_numpy().reshape(-1, 2)
    slots = slots_of(plan.cadence, reached["partition_start"].to_physical().to_numpy(), covered)
    within = (slots.starts + plan.cadence > first) & (slots.starts < head)
    told = np.minimum(slots.stream_until, head)[within]
    rows = opened.copy.rows_by_day(from_microseconds(first).date(), from_microseconds(head).date())
    return [_contents(reached), slots.starts[within].tolist(), told.tolist(), rows]


def _contents(partitions: pl.DataFrame) -> list[Any]:
    return partitions.select(pl.col("partition_start").to_physical(), "content_hash", "fingerprints").rows()


def _hash(value: object) -> str:
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=16).hexdigest()
