"""Asset checks that run with the computation of a view: the audit that blocks, and warnings about odd data."""

from datetime import datetime
from typing import Any, Final

import dagster as dg
import polars as pl

from feature_assets.generator.audit import audit
from feature_assets.generator.keys import table_key
from feature_store import FeatureView
from feature_store.offline.tables.store import OfflineStore

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
        dg.AssetCheckSpec(NULLS, asset=table, description="Fails if a feature is null for every entity."),
    ]


def audit_result(view: FeatureView, frame: pl.DataFrame) -> dg.AssetCheckEvaluation:
    """Return the outcome of the audit of computed values."""
    failures = audit(view, frame)
    shown: dict[str, Any] = {"failures": dg.MetadataValue.json(failures.to_dicts())} if failures.height else {}
    return dg.AssetCheckEvaluation(
        table_key(view), AUDIT, passed=not shown, metadata={"rows": frame.height, **shown}, blocking=True
    )


def warnings_of(
    view: FeatureView, frame: pl.DataFrame, newest: datetime, store: OfflineStore
) -> list[dg.AssetCheckEvaluation]:
    """Return the outcomes of the checks that only warn.

    Args:
        view: the view.
        frame: values that were just written.
        newest: start of the newest partition among them.
        store: holds these values and older ones.
    """
    return [_volume(view, frame, newest, store), _nulls(view, frame)]


def _volume(view: FeatureView, frame: pl.DataFrame, newest: datetime, store: OfflineStore) -> dg.AssetCheckEvaluation:
    ledger = store.values(view).ledger.partitions()
    rows = frame.filter(pl.col("partition_start") == newest).height
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


def _nulls(view: FeatureView, frame: pl.DataFrame) -> dg.AssetCheckEvaluation:
    names = [feature.name for feature in view.stored_features]
    counts = frame.select(names).null_count().row(0, named=True)
    empty = [name for name, nulls in counts.items() if frame.height and nulls == frame.height]
    return dg.AssetCheckEvaluation(
        table_key(view),
        NULLS,
        passed=not empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"always_null": ", ".join(empty) or "none"},
    )
