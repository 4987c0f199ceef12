"""Repairing damaged days: what was computed is computed again from what it was made of; sources are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal

import polars as pl

from feature_store.model.views import FeatureView
from feature_store.offline.ledger.ledger import Ledger
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore

Part = Literal["tiles", "state", "values"]


@dataclass(frozen=True)
class DamagedDay:
    """A physical day of a view that has to be written again.

    Attributes:
        part: which of its tables.
        day: the physical day.
        start: of the first partition that has to be written again for it.
        end: of the last.
        found_at: when it was found to be damaged.
        problem: what is wrong.
    """

    part: Part
    day: date
    start: datetime
    end: datetime
    found_at: datetime
    problem: str


def damaged_days_of(store: OfflineStore, view: FeatureView) -> Iterator[DamagedDay]:
    """Yield the damaged days of a view as the ledgers list them: tiles first, since values are made of them."""
    values = store.values(view).ledger
    if not view.is_table:
        yield from _days("tiles", store.tiles(view).ledger)
    if view.has_all_history:
        yield from _passing(_days("state", store.state(view).ledger), values.partitions())
    yield from _days("values", values)


def _days(part: Part, ledger: Ledger) -> Iterator[DamagedDay]:
    damaged = ledger.damaged()
    if damaged.is_empty():
        return
    by_day = ledger.partitions().group_by(pl.col("partition_start").dt.date().alias("day"))
    spans = by_day.agg(pl.col("partition_start").min().alias("start"), pl.col("as_of").max().alias("end"))
    found = damaged.join(spans, on="day", how="inner", maintain_order="left")
    for day, start, end, at, problem in found.select("day", "start", "end", "found_at", "problem").iter_rows():
        yield DamagedDay(part, day, start, end, at, problem)


def _passing(states: Iterator[DamagedDay], values: pl.DataFrame) -> Iterator[DamagedDay]:
    """Yield damaged states with the values on the way to which they are passed, and written, again."""
    for state in states:
        for start, end in (
            values.filter(pl.col("as_of") >= state.end).select("partition_start", "as_of").head(1).iter_rows()
        ):
            yield replace(state, start=start, end=end)


def repair_day(store: OfflineStore, view: FeatureView, damaged: DamagedDay, run_id: str) -> int:
    """Compute a damaged day again and write it; return the number of rows.

    Args:
        store: the offline store.
        view: the view.
        damaged: one of its days.
        run_id: of the run that writes.

    Raises:
        DamagedError: what it is made of is damaged, too.
        MissingTilesError: or is not there any more.
    """
    if damaged.part == "tiles":
        return compute_tiles(store, view, damaged.start, damaged.end, run_id).rows
    return compute_values(store, view, damaged.start, damaged.end, run_id)
