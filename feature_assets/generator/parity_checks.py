"""The asset check ``parity`` of every view online: do the stores hold what a second, independent computation gives?

It is about what is served once a snapshot was loaded, takes its time, and so belongs to no load: it has a condition of
its own, which keeps Dagster from adding it to automatic runs of the asset.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from feature_assets.generator.keys import online_key
from feature_assets.parity.report import ViewParity
from feature_assets.parity.sampling import Sample
from feature_assets.parity.stored import check_stored
from feature_store import FeatureView
from resources.offline import OfflineStoreResource
from resources.online import OnlineStoreResource

PARITY: Final = "parity"

EVERY_MORNING: Final = "40 6 * * *"
"""UTC."""


def check_key(view: FeatureView) -> dg.AssetCheckKey:
    """Return the check of a view."""
    return dg.AssetCheckKey(online_key(view), PARITY)


def parity_checks(name: str, views: Sequence[FeatureView]) -> dg.AssetChecksDefinition:
    """Return one op that checks the parity of every view, on a sample of entities and instants that changes daily."""
    by_check = {check_key(view): view for view in views}
    specs = [
        dg.AssetCheckSpec(
            PARITY,
            asset=key.asset_key,
            description="A few entities at a few instants, recomputed in plain Python from the raw rows: do the "
            "offline and the online store hold the same values?",
            automation_condition=dg.AutomationCondition.cron_tick_passed(EVERY_MORNING).with_label("every morning"),
        )
        for key in by_check
    ]

    @dg.multi_asset_check(name=name, specs=specs, can_subset=True)
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


def parity_sensor(name: str, views: Sequence[FeatureView]) -> dg.AutomationConditionSensorDefinition:
    """Return the sensor that requests the parity checks of a code location, in one run."""
    return dg.AutomationConditionSensorDefinition(
        name,
        target=dg.AssetSelection.checks(*(check_key(view) for view in views)),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=60,
        description="Requests the parity checks of all views at 06:40 UTC, in one run.",
    )


def parity_result(view: FeatureView, parity: ViewParity, sample: Sample) -> dg.AssetCheckResult:
    """Return a report as Dagster shows it: an error where a value differs, a warning where one could not be read."""
    different = len(parity.different)
    return dg.AssetCheckResult(
        asset_key=online_key(view),
        check_name=PARITY,
        passed=parity.is_sound,
        severity=dg.AssetCheckSeverity.ERROR if different else dg.AssetCheckSeverity.WARN,
        description=f"{parity.compared} values compared, {different} different",
        metadata={
            "compared": parity.compared,
            "different": different,
            "differences": dg.MetadataValue.md(parity.difference_table() if different else "none"),
            "features": dg.MetadataValue.md(parity.summary_table()),
            "problems": _list(parity.problems),
            "left_out": _list(parity.notes),
            "owner": view.owner,
            "seed": str(sample.seed),
        },
    )


def _list(lines: Sequence[str]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md("\n".join(f"- {line}" for line in lines) or "none")
