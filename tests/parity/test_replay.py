"""A log of responses, replayed: equal by what really happened, and different by what was promised where that broke."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_assets.parity.reading import view_plan
from feature_assets.parity.replay import replay
from feature_assets.parity.served import log_rows
from feature_store.errors import InputError
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import ServicePlan, write_plan
from serving.client import FeatureClient
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from tests.dagster.sample.declarations import HouseholdProfile

FIRST, SECOND = datetime(2024, 3, 2, tzinfo=UTC), datetime(2024, 3, 3, tzinfo=UTC)
KEYS = {"household_id": [1, 2, 3]}


@pytest.fixture
def store(tmp_path) -> OfflineStore:
    return OfflineStore(str(tmp_path / "offline"))


@pytest.fixture
def plan() -> ServicePlan:
    return view_plan(HouseholdProfile)


def land(store: OfflineStore, as_of: datetime, income: str) -> None:
    start = as_of - timedelta(days=1)
    rows = {"partition_start": start, "household_id": [1, 2], "income": income, "is_member": True}
    schema = {
        "partition_start": pl.Datetime("us", "UTC"),
        "household_id": pl.Int64,
        "income": pl.String,
        "is_member": pl.Boolean,
    }
    store.values(HouseholdProfile).write(pl.DataFrame(rows, schema=schema), start, as_of, run_id="test")


def publish(store: OfflineStore, url: str) -> None:
    writer = open_loader(url)
    sync_view(store, HouseholdProfile, writer, datetime.now(UTC))
    writer.close()


def served(plans: Path, url: str, plan: ServicePlan) -> pl.DataFrame:
    """A response as it is logged; by a new client, since one looks for newer generations only once a second."""
    write_plan(plans, plan)
    with FeatureClient(plans, url) as client:
        return log_rows(plan, client.get_features(plan.full_name, KEYS))


@pytest.fixture
def log(store: OfflineStore, plan: ServicePlan, valkey: str, tmp_path: Path) -> pl.DataFrame:
    """Served before and after a second partition was loaded, long after it was promised."""
    land(store, FIRST, "low")
    publish(store, valkey)
    land(store, SECOND, "high")
    before = served(tmp_path / "plans", valkey, plan)
    publish(store, valkey)
    return pl.concat([before, served(tmp_path / "plans", valkey, plan)])


def test_what_was_served_is_what_really_was_available(store, plan, log):
    report = replay(store, plan, log)
    assert (report.entities, report.compared) == (6, 6 * len(plan.outputs))
    assert report.different.is_empty()


def test_a_correction_changes_only_what_was_served_after_it(store, plan, log, valkey, tmp_path):
    land(store, SECOND, "corrected")
    publish(store, valkey)
    longer = pl.concat([log, served(tmp_path / "plans", valkey, plan)])
    incomes = longer.filter(pl.col("household_id") == 1)["household_profile__income"].to_list()
    assert incomes == ["low", "high", "corrected"]
    assert replay(store, plan, longer).different.is_empty()


def test_a_broken_promise_shows_where_a_training_set_would_leak(store, plan, log):
    report = replay(store, plan, log, "promised")
    different = report.different.filter(pl.col("feature") == "household_profile__income")
    assert different["household_id"].to_list() == [1, 2]
    assert set(different["served"]) == {"low"}
    assert set(different["offline"]) == {"high"}
    assert set(different["served_at"]) == {log["served_at"].min()}
    assert report.different.height == different.height


def test_a_value_that_was_never_there_is_found(store, plan, log):
    name = "household_profile__income"
    forged = log.with_columns(pl.when(pl.col("household_id") == 2).then(pl.lit("huge")).otherwise(name).alias(name))
    report = replay(store, plan, forged)
    assert report.different["served"].to_list() == ["huge"] * 2
    assert report.different["household_id"].to_list() == [2, 2]


def test_a_status_that_was_not_is_found(store, plan, log):
    name = "household_profile__is_member__status"
    report = replay(store, plan, log.with_columns(pl.lit(3, pl.Int8).alias(name)))
    assert report.different.height == 6
    assert report.different["served"][0] == "True (EXPIRED)"


def test_a_log_may_hold_some_of_the_features_without_their_status(store, plan, log):
    report = replay(store, plan, log.select("served_at", "household_id", "household_profile__income"))
    assert (report.compared, report.different.height) == (6, 0)


@pytest.mark.parametrize("column", ["served_at", "household_id"])
def test_a_log_without_key_or_time_is_refused(store, plan, log, column):
    with pytest.raises(InputError, match=f"the log lacks {column}"):
        replay(store, plan, log.drop(column))


@pytest.mark.parametrize(
    ("column", "dtype", "problem"),
    [
        ("household_id", pl.String, "holds String in 'household_id', which is of type Int64"),
        (
            "household_profile__income",
            pl.Boolean,
            "holds Boolean in 'household_profile__income'",
        ),
        ("served_at", pl.Datetime("us"), "which needs instants with a time zone"),
    ],
)
def test_a_log_with_a_column_of_another_type_is_refused(store, plan, log, column, dtype, problem):
    other = log.with_columns(pl.lit(None).cast(dtype).alias(column))
    with pytest.raises(InputError, match=problem):
        replay(store, plan, other)


def test_a_log_without_features_is_refused(store, plan, log):
    with pytest.raises(InputError, match="holds no feature of household_profile/v1"):
        replay(store, plan, log.select("served_at", "household_id"))
