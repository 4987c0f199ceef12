"""The rows of one entity in a table source: which one won, and why the others lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from feature_assets.explain.explanation import Listing, TableRow
from feature_assets.parity.text import iso
from feature_store import FeatureView, TableSource
from feature_store.oracle.expressions import as_type
from feature_store.oracle.rows import rank
from feature_store.oracle.tables import has_landed, is_before, is_deleted, is_past, is_too_old
from feature_store.temporal.durations import format_duration

Row = dict[str, Any]


def listed_rows(view: FeatureView, rows: Sequence[Row], as_of: datetime, available_at: datetime, most: int) -> Listing:
    """Return the rows of one entity, the latest first, each with its verdict.

    Args:
        view: a table view.
        rows: raw rows of one entity, those after the as-of included.
        as_of: of the partition.
        available_at: of the partition.
        most: rows that are shown.
    """
    source = view.source
    assert isinstance(source, TableSource)
    clean = [{name: as_type(row[name], dtype) for name, dtype in source.columns.items()} for row in rows]
    ranked = sorted(clean, key=lambda row: rank(source, row), reverse=True)
    unknown = [_unknown(source, row, as_of, available_at) for row in ranked]
    winner = next((place for place, reason in enumerate(unknown) if not reason), None)
    verdicts = [
        reason or (_fate(view, source, row, as_of) if place == winner else _older(source, row, ranked[winner or 0]))
        for place, (row, reason) in enumerate(zip(ranked, unknown, strict=True))
    ]
    shown = [TableRow(row, verdict) for row, verdict in zip(ranked, verdicts, strict=True)]
    # However many rows lost by their lateness, the winner is among those shown.
    first = max(0, min((winner or 0) - most // 2, len(shown) - most))
    return Listing(shown[first : first + most], len(shown))


def _unknown(source: TableSource, row: Row, as_of: datetime, available_at: datetime) -> str:
    """Return why a row does not exist yet for the partition; empty if it does."""
    if not is_before(source, row, as_of):
        is_timed = row[source.time] is not None
        return f"lost: its time is not before the as-of, {iso(as_of)}" if is_timed else "lost: has no time"
    if has_landed(source, row, available_at):
        return ""
    is_timed = source.landed_at is not None and row[source.landed_at] is not None
    return f"lost: landed after the available-at, {iso(available_at)}" if is_timed else "lost: has no landing time"


def _fate(view: FeatureView, source: TableSource, row: Row, as_of: datetime) -> str:
    """Return what became of the latest known row."""
    if is_deleted(source, row):
        return "latest, but deleted: the entity has no values"
    if source.valid_to is not None and is_past(source, row, as_of):
        return f"latest, but valid to {iso(row[source.valid_to])} only: the entity has no values"
    if view.row_ttl is not None and is_too_old(view, row, as_of):
        old, limit = as_of - row[source.time], format_duration(view.row_ttl)
        return f"latest, but {old} old, row_ttl is {limit}: the entity has no values"
    return "won: the latest row before the as-of"


def _older(source: TableSource, row: Row, winner: Row) -> str:
    if row[source.time] != winner[source.time]:
        return f"lost: older than the row of {iso(winner[source.time])}"
    if source.sequence is not None and row[source.sequence] != winner[source.sequence]:
        return f"lost: same time, {source.sequence} {row[source.sequence]} before {winner[source.sequence]}"
    return "lost: same time, its other columns come before those of the row that won"
