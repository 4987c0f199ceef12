"""Verifying what is stored: every partition of a table is read whole and compared with what its ledger says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from feature_store.errors import DamagedError, DamagedRecordError
from feature_store.model.views import FeatureView
from feature_store.offline.delta.commit_ledger import LostCommitsError
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.stream_copy import StreamCopy

_DAYS_AT_ONCE: Final = 16
"""Days that are read together: each alone takes much longer."""

Progress = Callable[[int, int], None]
"""Called with the number of days that were read, and of all."""


@dataclass(frozen=True)
class Verification:
    """The findings about a table.

    Attributes:
        table: where it lies.
        partitions: how many it has.
        unverifiable: how many of them were written before the ledger kept sums: of these only the rows were counted.
        damages: the days that are not as they were written.
        records: what describes the rows, and is not as it was written; then nothing is said of the rows.
    """

    table: str
    partitions: int
    unverifiable: int
    damages: tuple[DamagedError, ...]
    records: tuple[DamagedRecordError, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damages and not self.records


Verified = PartitionedTable | StreamCopy
"""What is verified."""


def tables_of(store: OfflineStore, view: FeatureView) -> Mapping[str, Verified]:
    """Return what is stored of a view, and the rows that it is made from, by what each is called."""
    tables: dict[str, Verified] = {"source": store.source(view.source.asset)}
    if not view.is_table:
        tables["tiles"] = store.tiles(view)
    if view.has_all_history:
        tables["state"] = store.state(view)
    if view.is_stream:
        tables["stream"] = store.stream_copy(view.full_name)
    return {**tables, "values": store.values(view)}


def verify_table(table: Verified, progress: Progress | None = None) -> Verification:
    """Read a table whole, day by day, and compare it; list in its ledger what is damaged, and what is sound again.

    Args:
        table: the table; it may never have been written.
        progress: called after each day.
    """
    try:
        return _verify_copy(table) if isinstance(table, StreamCopy) else _verify_rows(table, progress)
    except DamagedRecordError as problem:
        return Verification(table.uri, 0, 0, (), (problem,))


def accept_loss(store: OfflineStore, view: FeatureView) -> Iterator[str]:
    """Forget what the tables of a view lost with their newest commits, so that it is computed again; yield which.

    Sources are left alone.
    """
    for name, table in tables_of(store, view).items():
        if name == "source" or isinstance(table, StreamCopy):
            continue
        try:
            table.open()
        except LostCommitsError as lost:
            table.ledger.forget_lost(lost.version)
            yield table.uri
        except DamagedRecordError:
            continue


def _verify_copy(copy: StreamCopy) -> Verification:
    opened = copy.open()
    try:
        if opened.table is not None:
            opened.check_files(date.min, date.max)
    except DamagedError as damage:
        return Verification(copy.uri, opened.writes.height, 0, (damage,))
    return Verification(copy.uri, opened.writes.height, 0, ())


def _verify_rows(table: PartitionedTable, progress: Progress | None) -> Verification:
    opened = table.open()
    by_day = opened.partitions.with_columns(pl.col("partition_start").dt.date().alias("__day"))
    days = [group.drop("__day") for group in by_day.partition_by("__day", maintain_order=True)]
    damages: list[DamagedError] = []
    for first in range(0, len(days), _DAYS_AT_ONCE):
        together = days[first : first + _DAYS_AT_ONCE]
        if any(_damages(opened, pl.concat(together))):  # which of them?
            damages += [damage for day in together for damage in _damages(opened, day)]
        if progress is not None:
            progress(first + len(together), len(days))
    found = {damage.day for damage in damages}
    for day, start in opened.damaged.select("day", "partition_start").iter_rows():
        if day not in found and opened.version is not None:
            table.ledger.note_damage(start, opened.version, None)
    unverifiable = opened.partitions["column_sums"].null_count()
    return Verification(table.uri, opened.partitions.height, unverifiable, tuple(damages))


def _damages(opened: OpenTable, partitions: pl.DataFrame) -> Iterator[DamagedError]:
    try:
        for _ in opened.pieces(partitions, opened.columns.names()):
            pass
    except DamagedError as damage:
        yield damage
