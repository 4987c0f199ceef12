"""A source that says ``end=`` is finished: no partition after it, no policy and no check that waits for more."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl

from feature_assets import build_feature_assets, source_asset
from feature_assets.generator.freshness import freshness_of
from feature_assets.generator.freshness_checks import freshness_result
from feature_store import FeatureView
from feature_store.offline.tables.store import OfflineStore
from sensors.messages import Audience
from tests.dagster.sample.declarations import HouseholdSpend

END = HouseholdSpend.source.start + timedelta(days=30)
SOURCE = replace(HouseholdSpend.source, end=END)
VIEW = replace(HouseholdSpend, source=SOURCE)
LATER = END + timedelta(days=4000)


@source_asset(SOURCE)
def receipts() -> pl.DataFrame:
    raise AssertionError("nothing lands here")


def specs(view, end: datetime | None = None) -> dict[str, dg.AssetSpec]:
    definitions = build_feature_assets([view], end=end)
    assets = [each for each in definitions.assets or () if isinstance(each, dg.AssetsDefinition)]
    return {spec.key.to_user_string(): spec for asset in assets for spec in asset.specs}


def test_partitions_of_the_source_its_tiles_and_tables_end_with_it():
    for name in ("_tiles", "_table", "spend_7d"):
        last = specs(VIEW)[f"retail/household_spend/v1/{name}"].partitions_def.get_last_partition_key()
        assert last == f"{END - timedelta(days=1):%Y-%m-%d}"
    assert receipts.partitions_def.get_last_partition_key() == f"{END - timedelta(days=1):%Y-%m-%d}"


def test_an_earlier_end_of_the_code_location_counts():
    table = specs(VIEW, END - timedelta(days=5))["retail/household_spend/v1/_table"]
    last = table.partitions_def.get_last_partition_key()
    assert last == f"{END - timedelta(days=6):%Y-%m-%d}"


def test_no_policy_waits_for_more():
    assert {spec.freshness_policy for spec in specs(VIEW).values()} == {None}
    assert any(spec.freshness_policy is not None for spec in specs(HouseholdSpend).values())


def test_the_check_passes_and_says_that_it_is_finished(tmp_path):
    check = freshness_result(OfflineStore(str(tmp_path)), VIEW, LATER)
    assert check.passed
    assert check.description == f"finished: its source ended at {END.isoformat()}, so nothing is due"
    assert not freshness_result(OfflineStore(str(tmp_path)), HouseholdSpend, LATER).passed


def without_promise() -> FeatureView:
    features = tuple(replace(feature, freshness=None) for feature in HouseholdSpend.features)
    return replace(HouseholdSpend, freshness=None, features=features)


def test_a_view_that_promises_no_freshness_has_no_policy_and_its_check_says_so(tmp_path):
    view = without_promise()
    found = specs(view)
    assert {spec.freshness_policy for spec in found.values()} == {None}
    assert found["retail/household_spend/v1/_table"].metadata["freshness"] == "none promised"
    check = freshness_result(OfflineStore(str(tmp_path)), view, LATER)
    assert check.passed
    assert check.description is not None
    assert check.description.startswith("no freshness is promised (freshness=None), so nothing is due; ")
    assert "sla_hours" not in check.metadata


def test_an_alert_that_was_open_ends_when_no_freshness_is_promised_any_more(tmp_path):
    judged = freshness_of(OfflineStore(str(tmp_path)), without_promise(), LATER)
    said = Audience([], [], "http://ui").fresh_again(judged, timedelta(hours=3))
    assert not judged.is_breached
    assert "no values are available; no freshness is promised" in said


def test_a_finished_source_has_the_same_fingerprints():
    assert VIEW.fingerprints == HouseholdSpend.fingerprints
    assert datetime.now(UTC) > END


def test_landed_assets_are_grouped_by_their_keys():
    assert set(receipts.group_names_by_key.values()) == {"raw"}
