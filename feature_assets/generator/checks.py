"""Asset checks that run with the computation of a view: the audit that blocks, and warnings about odd data."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import dagster as dg
import polars as pl

from feature_assets.generator.audit import SHOWN
from feature_assets.generator.keys import table_key
from feature_store import Feature, FeatureView
from feature_store.offline.materialize.reach import floor_to
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import from_microseconds, to_microseconds
from feature_store.temporal.windows import Window

AUDIT: Final = "schema"
VOLUME: Final = "volume"
NULLS: Final = "null_rate"

_LARGEST_CHANGE: Final = 0.5
"""Change of the number of rows against the partitions before that is reported, as a share."""

_COMPARED: Final = 7


def table_checks(view: FeatureView) -> list[dg.AssetCheckSpec]:
    """Return the checks of the values that a run computes."""
    table = table_key(view)
    return [
        dg.AssetCheckSpec(
            AUDIT, asset=table, blocking=True, description="Types, keys and bounds. Values that fail are not written."
        ),
        dg.AssetCheckSpec(VOLUME, asset=table, description="Rows of the newest partition against those before."),
        dg.AssetCheckSpec(
            NULLS,
            asset=table,
            description="Fails if a feature is null for everybody though events count.",
        ),
    ]


def audit_result(view: FeatureView, found: Sequence[pl.DataFrame], rows: int) -> dg.AssetCheckEvaluation:
    """Return the outcome of the audit of computed values.

    Args:
        view: the view.
        found: what ``audit`` found, day by day.
        rows: that were looked at.
    """
    failures = (
        pl.concat(found)
        .group_by("column", "check", maintain_order=True)
        .agg(pl.col("failures").sum(), pl.col("example").first())
        .head(SHOWN)
    )
    shown: dict[str, Any] = {"failures": dg.MetadataValue.json(failures.to_dicts())} if failures.height else {}
    return dg.AssetCheckEvaluation(
        table_key(view), AUDIT, passed=not shown, metadata={"rows": rows, **shown}, blocking=True
    )


def warnings_of(
    view: FeatureView, rows: Mapping[datetime, int], nulls: Mapping[str, int], store: OfflineStore
) -> list[dg.AssetCheckEvaluation]:
    """Return the outcomes of the checks that only warn.

    Args:
        view: the view.
        rows: of values that were just written, by partition start.
        nulls: among them, by column that has any.
        store: holds these values and older ones.
    """
    return [_volume(view, rows, store), _nulls(view, rows, nulls, store)]


def _volume(view: FeatureView, written: Mapping[datetime, int], store: OfflineStore) -> dg.AssetCheckEvaluation:
    newest = max(written)
    ledger = store.values(view).ledger.partitions()
    rows = written[newest]
    earlier = ledger.filter(pl.col("partition_start") < newest)["rows"].tail(_COMPARED)
    before = float(earlier.sum()) / max(len(earlier), 1)
    change = abs(rows - before) / max(before, 1) if len(earlier) else 0.0
    return dg.AssetCheckEvaluation(
        table_key(view),
        VOLUME,
        passed=rows > 0 and change <= _LARGEST_CHANGE,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"rows": rows, "mean_rows_before": before, "change": change},
    )


def _nulls(
    view: FeatureView, rows: Mapping[datetime, int], nulls: Mapping[str, int], store: OfflineStore
) -> dg.AssetCheckEvaluation:
    total = sum(rows.values())
    always = [feature.name for feature in view.stored_features if total and nulls.get(feature.name) == total]
    quiet = _quiet_windows(view, [at for at, count in rows.items() if count], store) if always else set()
    empty = [name for name in always if not _may_count_nothing(view, view.feature(name), quiet)]
    return dg.AssetCheckEvaluation(
        table_key(view),
        NULLS,
        passed=not empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"always_null": ", ".join(empty) or "none"},
    )


def _quiet_windows(view: FeatureView, starts: Sequence[datetime], store: OfflineStore) -> set[Window]:
    """Return the windows in which nobody has an event, at any as-of of some partitions: an hour at night."""
    tiles = store.tiles(view)
    if view.is_table or tiles.ledger.partitions().is_empty():
        return set()
    first, last = (to_microseconds(start) + view.cadence for start in (min(starts), max(starts)))
    return {window for window in view.windows if not _has_event(view, tiles, window.tail(first), last)}


def _has_event(view: FeatureView, tiles: PartitionedTable, start: int, end: int) -> bool:
    first = from_microseconds(floor_to(start, view.cadence))
    at = pl.col("tile_start").to_physical()
    rows = tiles.scan(first, from_microseconds(end)).filter(at >= start, at < end)
    return bool(rows.select(pl.len() > 0).collect().item())


def _may_count_nothing(view: FeatureView, feature: Feature, quiet: set[Window]) -> bool:
    """Return whether a feature may be null for everybody though no input is: it counts nothing, or reads one such."""
    aggregation = feature.aggregation
    if aggregation is not None:
        return aggregation.where is not None or aggregation.window in quiet
    return any(_may_count_nothing(view, view.feature(name), quiet) for name in feature.reads)
