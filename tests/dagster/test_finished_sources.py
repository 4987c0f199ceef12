"""A source that says ``end=`` is finished: no partition after it, no policy and no check that waits for more."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl

from feature_assets import build_feature_assets, source_asset
from feature_assets.generator.freshness_checks import freshness_result
from feature_store.offline.tables.store import OfflineStore
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


def test_a_finished_source_has_the_same_fingerprints():
    assert VIEW.fingerprints == HouseholdSpend.fingerprints
    assert datetime.now(UTC) > END


def test_landed_assets_are_grouped_by_their_keys():
    assert set(receipts.group_names_by_key.values()) == {"raw"}
