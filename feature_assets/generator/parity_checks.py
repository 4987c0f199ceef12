"""The asset check ``parity`` of every view: do the stores hold what a second, independent computation gives?"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from feature_assets.generator.keys import table_key
from feature_assets.parity.report import ViewParity
from feature_assets.parity.sampling import Sample
from feature_assets.parity.stored import check_stored
from feature_store import FeatureView
from resources.offline import OfflineStoreResource
from resources.online import OnlineStoreResource

PARITY: Final = "parity"
PARITY_JOB: Final = "check_parity"
"""Job and schedule that run the parity checks of a code location."""

_EVERY_MORNING: Final = "40 6 * * *"


def check_key(view: FeatureView) -> dg.AssetCheckKey:
    """Return the check of a view."""
    return dg.AssetCheckKey(table_key(view), PARITY)


def parity_checks(views: Sequence[FeatureView]) -> dg.AssetChecksDefinition:
    """Return one op that checks the parity of every table, on a sample of entities and instants that changes daily."""
    by_check = {check_key(view): view for view in views}
    specs = [
        dg.AssetCheckSpec(
            PARITY,
            asset=key.asset_key,
            description="A few entities at a few instants, recomputed in plain Python from the raw rows: do the "
            "offline and the online store hold the same values?",
        )
        for key in by_check
    ]

    @dg.multi_asset_check(name="parity_of_tables", specs=specs, can_subset=True)
    def check_parity(
        context: dg.AssetCheckExecutionContext, offline_store: OfflineStoreResource, online_store: OnlineStoreResource
    ) -> Iterator[dg.AssetCheckResult]:
        now = datetime.now(UTC)
        sample = Sample(seed=now.toordinal())
        url = online_store.running_url()
        for key in context.selected_asset_check_keys:
            parity = check_stored(offline_store.store, by_check[key], url, now, sample)
            yield parity_result(by_check[key], parity, sample)

    return check_parity


def parity_schedule(views: Sequence[FeatureView]) -> dg.ScheduleDefinition:
    """Return the schedule that runs all parity checks of a code location every morning."""
    checks = [check_key(view) for view in views]
    job = dg.define_asset_job(PARITY_JOB, selection=dg.AssetSelection.checks(*checks))
    return dg.ScheduleDefinition(
        name=PARITY_JOB, job=job, cron_schedule=_EVERY_MORNING, default_status=dg.DefaultScheduleStatus.RUNNING
    )


def parity_result(view: FeatureView, parity: ViewParity, sample: Sample) -> dg.AssetCheckResult:
    """Return a report as Dagster shows it: an error where a value differs, a warning where one could not be read."""
    different = len(parity.different)
    return dg.AssetCheckResult(
        asset_key=check_key(view).asset_key,
        check_name=PARITY,
        passed=parity.is_sound,
        severity=dg.AssetCheckSeverity.ERROR if different else dg.AssetCheckSeverity.WARN,
        description=f"{parity.compared} values compared, {different} different",
        metadata={
            "compared": parity.compared,
            "different": different,
            "differences": dg.MetadataValue.md(parity.difference_table() if different else "none"),
            "features": dg.MetadataValue.md(parity.summary_table()),
            "problems": "\n".join(parity.problems) or "none",
            "left_out": "\n".join(parity.notes) or "nothing",
            "owner": view.owner,
            "seed": sample.seed,
        },
    )
