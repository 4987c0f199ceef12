"""Asset checks of views: the audit that blocks, warnings about odd data, and freshness of all views in one op."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import dagster as dg
import polars as pl

from feature_assets.generator.freshness import Freshness, freshness_of, span_text
from feature_assets.generator.keys import table_key
from feature_store import FeatureView
from feature_store.offline.materialize import ValueFrame
from feature_store.offline.store import OfflineStore
from resources.offline import OfflineStoreResource

AUDIT: Final = "schema"
VOLUME: Final = "volume"
NULLS: Final = "null_rate"
FRESHNESS: Final = "freshness"
FRESHNESS_JOB: Final = "check_freshness"
"""Job and schedule that run the freshness checks of a code location."""

_LARGEST_CHANGE: Final = 0.5
"""Change of the number of rows against the partitions before that is reported, as a share."""

_COMPARED: Final = 7


def table_checks(view: FeatureView) -> list[dg.AssetCheckSpec]:
    """Return the checks that run with the computation of a view."""
    table = table_key(view)
    return [
        dg.AssetCheckSpec(
            AUDIT, asset=table, blocking=True, description="Types, keys and bounds. Values that fail are not written."
        ),
        dg.AssetCheckSpec(VOLUME, asset=table, description="Rows of the newest partition against those before."),
        dg.AssetCheckSpec(NULLS, asset=table, description="Features that are null for everybody."),
    ]


def warnings_of(view: FeatureView, values: ValueFrame, store: OfflineStore) -> list[dg.AssetCheckResult]:
    """Return the results of the checks that only warn, for values that were just written."""
    return [_volume(view, values, store), _nulls(view, values.frame)]


def freshness_checks(views: Sequence[FeatureView]) -> dg.AssetChecksDefinition:
    """Return one op that checks the freshness of every table."""
    by_check = {dg.AssetCheckKey(table_key(view), FRESHNESS): view for view in views}
    specs = [
        dg.AssetCheckSpec(
            FRESHNESS,
            asset=key.asset_key,
            description="Is the newest partition that must be available by now, per the SLA, in the ledger?",
        )
        for key in by_check
    ]

    @dg.multi_asset_check(name="freshness_of_tables", specs=specs, can_subset=True)
    def check_freshness(
        context: dg.AssetCheckExecutionContext, offline_store: OfflineStoreResource
    ) -> Iterator[dg.AssetCheckResult]:
        now = datetime.now(UTC)
        for key in context.selected_asset_check_keys:
            yield _freshness_result(freshness_of(offline_store.store, by_check[key], now))

    return check_freshness


def freshness_schedule(views: Sequence[FeatureView]) -> dg.ScheduleDefinition:
    """Return the schedule that runs all freshness checks of a code location every quarter of an hour."""
    checks = [dg.AssetCheckKey(table_key(view), FRESHNESS) for view in views]
    job = dg.define_asset_job(FRESHNESS_JOB, selection=dg.AssetSelection.checks(*checks))
    return dg.ScheduleDefinition(
        name=FRESHNESS_JOB, job=job, cron_schedule="*/15 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
    )


def _freshness_result(freshness: Freshness) -> dg.AssetCheckResult:
    view = freshness.view
    return dg.AssetCheckResult(
        asset_key=table_key(view),
        check_name=FRESHNESS,
        passed=not freshness.is_breached,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{span_text(freshness.age)} old, at most {span_text(freshness.sla)} allowed",
        metadata={
            "age_hours": freshness.age.total_seconds() / 3600,
            "sla_hours": freshness.sla.total_seconds() / 3600,
            "owner": view.owner,
            "newest_as_of": _instant(freshness.as_of),
            "expected_as_of": _instant(freshness.expected),
            "breached_features": ", ".join(freshness.breached_features) or "none",
        },
    )


def _instant(instant: datetime | None) -> str:
    return "none" if instant is None else instant.isoformat()


def _volume(view: FeatureView, values: ValueFrame, store: OfflineStore) -> dg.AssetCheckResult:
    ledger = store.values(view).ledger.partitions()
    newest = max(values.inputs_hash)
    rows = values.frame.filter(pl.col("partition_start") == newest).height
    earlier = ledger.filter(pl.col("partition_start") < newest)["rows"].tail(_COMPARED)
    before = float(earlier.sum()) / max(len(earlier), 1)
    change = abs(rows - before) / max(before, 1) if len(earlier) else 0.0
    return dg.AssetCheckResult(
        asset_key=table_key(view),
        check_name=VOLUME,
        passed=rows > 0 and change <= _LARGEST_CHANGE,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"rows": rows, "mean_rows_before": before, "change": change},
    )


def _nulls(view: FeatureView, frame: pl.DataFrame) -> dg.AssetCheckResult:
    names = [feature.name for feature in view.stored_features]
    counts = frame.select(names).null_count().row(0, named=True)
    empty = [name for name, nulls in counts.items() if frame.height and nulls == frame.height]
    return dg.AssetCheckResult(
        asset_key=table_key(view),
        check_name=NULLS,
        passed=not empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"always_null": ", ".join(empty) or "none"},
    )
