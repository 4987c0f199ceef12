"""The asset check ``freshness`` of every table: judged when the table is computed, and by a sensor in between.

Neither costs a run of its own: a view that stops being computed turns stale without one.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from feature_assets.generator.freshness import freshness_of
from feature_assets.generator.keys import table_key
from feature_store import FeatureView
from feature_store.offline.tables.store import OfflineStore
from feature_store.quality.freshness import Freshness, sla_set_by, span_text
from resources.offline import OfflineStoreResource

FRESHNESS: Final = "freshness"

_INTERVAL: Final = 300
"""Seconds between two looks of the sensor."""


def freshness_check(view: FeatureView) -> dg.AssetCheckSpec:
    """Return the check of a view's table."""
    return dg.AssetCheckSpec(
        FRESHNESS,
        asset=table_key(view),
        description="Is the newest partition that must be available by now, per the SLA, in the ledger?",
    )


def freshness_result(store: OfflineStore, view: FeatureView, now: datetime) -> dg.AssetCheckEvaluation:
    """Judge a view; one whose ledger cannot be read fails the check, whatever the reason."""
    try:
        return _evaluation(freshness_of(store, view, now))
    except Exception as error:  # noqa: BLE001 - the next view is judged all the same
        return dg.AssetCheckEvaluation(
            table_key(view), FRESHNESS, passed=False, description=f"cannot be judged: {error}"[:1000]
        )


def freshness_sensor(name: str, views: Sequence[FeatureView]) -> dg.SensorDefinition:
    """Return the sensor that reports the check of each view whenever its outcome changes.

    Its cursor holds the last outcomes by full name.
    """

    @dg.sensor(
        name=name,
        minimum_interval_seconds=_INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Turns the freshness checks of tables red when they become stale, and green again. Starts no runs.",
    )
    def watch(context: dg.SensorEvaluationContext, offline_store: OfflineStoreResource) -> dg.SensorResult:
        before: dict[str, bool] = json.loads(context.cursor or "{}")
        found = {v.full_name: freshness_result(offline_store.store, v, datetime.now(UTC)) for v in views}
        after = {view: check.passed for view, check in found.items()}
        return dg.SensorResult(
            asset_events=[check for view, check in found.items() if before.get(view) != check.passed],
            cursor=json.dumps(after),
            skip_reason=f"{sum(after.values())} of {len(after)} tables are fresh",
        )

    return watch


def _evaluation(freshness: Freshness) -> dg.AssetCheckEvaluation:
    view = freshness.view
    return dg.AssetCheckEvaluation(
        table_key(view),
        FRESHNESS,
        passed=not freshness.is_breached,
        description=_description(freshness),
        metadata={
            "age_hours": freshness.age.total_seconds() / 3600,
            **({} if freshness.sla is None else {"sla_hours": freshness.sla.total_seconds() / 3600}),
            "sla_set_by": sla_set_by(view),
            "owner": view.owner,
            "newest_as_of": _instant(freshness.as_of),
            "expected_as_of": _instant(freshness.expected),
            "breached_features": ", ".join(freshness.breached_features) or "none",
        },
    )


def _description(freshness: Freshness) -> str:
    if freshness.is_finished:
        return f"finished: its source ended at {_instant(freshness.view.source.end)}, so nothing is due"
    if freshness.sla is None:
        return f"no freshness is promised (freshness=None), so nothing is due; {span_text(freshness.age)} old"
    return f"{span_text(freshness.age)} old, at most {span_text(freshness.sla)} allowed"


def _instant(instant: datetime | None) -> str:
    return "none" if instant is None else instant.isoformat()
