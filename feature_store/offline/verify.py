"""Verifying what is stored: every partition of a table is read whole and compared with what its ledger says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from feature_store.errors import DamagedError
from feature_store.model.views import FeatureView
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore

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
    """

    table: str
    partitions: int
    unverifiable: int
    damages: tuple[DamagedError, ...]


def tables_of(store: OfflineStore, view: FeatureView) -> Mapping[str, PartitionedTable]:
    """Return what is stored of a view, and the rows that it is made from, by what each is called."""
    tables: dict[str, PartitionedTable] = {"source": store.source(view.source.asset)}
    if not view.is_table:
        tables["tiles"] = store.tiles(view)
    if view.has_all_history:
        tables["state"] = store.state(view)
    return {**tables, "values": store.values(view)}


def verify_table(table: PartitionedTable, progress: Progress | None = None) -> Verification:
    """Read a table whole, day by day, and compare it; list in its ledger what is damaged, and what is sound again.

    Args:
        table: the table; it may never have been written.
        progress: called after each day.
    """
    opened = table.open()
    by_day = opened.partitions.with_columns(pl.col("partition_start").dt.date().alias("__day"))
    days = [group.drop("__day") for group in by_day.partition_by("__day", maintain_order=True)]
    damages: list[DamagedError] = []
    for number, partitions in enumerate(days, 1):
        damages += _damages(opened, partitions)
        if progress is not None:
            progress(number, len(days))
    found = {damage.day for damage in damages}
    for day, start in opened.damaged.select("day", "partition_start").iter_rows():
        if day not in found and opened.version is not None:
            table.ledger.note_damage(start, opened.version, None)
    unverifiable = opened.partitions["column_sums"].null_count()
    return Verification(table.uri, opened.partitions.height, unverifiable, tuple(damages))


def _damages(opened: OpenTable, partitions: pl.DataFrame) -> Iterator[DamagedError]:
    assert opened.table is not None
    columns = [field.name for field in opened.table.schema().fields if field.name != "day"]
    try:
        for _ in opened.pieces(partitions, columns):
            pass
    except DamagedError as damage:
        yield damage
