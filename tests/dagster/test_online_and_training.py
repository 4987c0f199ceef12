"""Online sync against a real Valkey, training sets, and models at the end of the lineage."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl
import pytest

from feature_assets import build_feature_assets
from feature_store.offline.training.training_sets import load_training_set
from feature_store.temporal.durations import DAY
from feature_store.temporal.instants import to_microseconds
from serving.stores.open_store import open_loader
from tests.dagster.conftest import Location, logged, materialised
from tests.dagster.sample import project
from tests.dagster.sample.declarations import START, HouseholdProfile, HouseholdSpend, views

VIEW = "retail/household_spend/v1"
TABLE, ONLINE = f"{VIEW}/_table", "online/retail/household_spend_v1"


@pytest.fixture
def served(ready, valkey) -> Location:
    location = Location(ready.instance, ready.root, online_url=valkey)
    location.url = valkey
    return location


def load(location: Location, **options) -> dict[str, Any]:
    """Load the view; what the asset's page says of it."""
    (event,) = materialised(location.run([ONLINE], **options)).values()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def test_the_newest_partition_is_loaded_and_older_ones_are_not(served):
    served.run([TABLE], "2024-01-10", "2024-01-12")
    told = load(served)
    assert told["loaded"] == day(12).isoformat()
    assert told["waiting"] == "none"
    assert told["served_as_of"] == day(12).timestamp()
    assert told["served_from"] == (day(12) + timedelta(hours=2)).timestamp()
    (generation,) = open_loader(served.url).generations(VIEW)
    assert generation.as_of == to_microseconds(START) + 12 * DAY
    assert (told["rows"], told["generation"]) == (generation.rows, generation.id)
    ledger = served.store.values(HouseholdSpend).ledger.partitions()
    newest = ledger.row(-1, named=True)
    assert (generation.rows, generation.content_hash) == (newest["rows"], newest["content_hash"])
    assert newest["generation"] == generation.id
    assert ledger["published_at"].is_not_null().to_list() == [False, False, True]


def test_what_is_served_and_what_waits_for_its_time_are_both_loaded(served):
    """As just after midnight, before the new partition's available-at."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    for as_of in (day(12), today):
        served.write_values(as_of)
    told = load(served)
    assert told["served_as_of"] == day(12).timestamp()
    assert told["loaded"] == f"{day(12).isoformat()}, {today.isoformat()}"
    assert told["waiting"] == f"{today.isoformat()}, served from {(today + timedelta(hours=2)).isoformat()}"


def test_a_repaired_partition_is_loaded_again(served):
    served.run([TABLE], "2024-01-12")
    first = load(served)
    served.write_values(day(12))
    repaired = load(served)
    assert repaired["loaded"] == first["loaded"]
    assert repaired["generation"] != first["generation"]
    assert repaired["rows"] == 1


def test_loading_again_changes_nothing(served):
    served.run([TABLE], "2024-01-12")
    first = load(served)
    before = open_loader(served.url).generations(VIEW)
    ledger = served.store.values(HouseholdSpend).ledger.partitions()
    assert load(served) == {**first, "loaded": "nothing: all of it was there", "seconds": pytest.approx(0, abs=60)}
    assert open_loader(served.url).generations(VIEW) == before
    assert served.store.values(HouseholdSpend).ledger.partitions().equals(ledger)


def test_a_newer_partition_takes_over_unless_it_was_rejected(served):
    served.run([TABLE], "2024-01-11")
    assert load(served)["served_as_of"] == day(11).timestamp()
    served.run([TABLE], "2024-01-12")
    assert load(served)["served_as_of"] == day(12).timestamp()
    as_ofs = [g.as_of for g in open_loader(served.url).generations(VIEW)]
    assert max(as_ofs) == to_microseconds(START) + 12 * DAY
    writer = open_loader(served.url)
    writer.restore(VIEW)
    told = load(served)
    assert (told["served_as_of"], told["rejected"]) == (day(11).timestamp(), day(12).isoformat())
    assert told["loaded"] == "nothing: all of it was there"
    assert max(g.as_of for g in writer.generations(VIEW)) == to_microseconds(START) + 11 * DAY


def test_a_view_without_partitions_says_what_to_do(served):
    with pytest.raises(dg.Failure, match="its table first"):
        load(served)


def test_a_training_set_is_the_point_in_time_join_of_its_spine(ready):
    ready.run([TABLE], "2024-01-08", "2024-01-13")
    ready.run(["retail/household_profile/v1/_table"], "2024-01-08", "2024-01-13")
    result = ready.run(["training/churn_v1"], "2024-01-10", "2024-01-12")
    assert result.success
    events = materialised(result).items()
    rows = {day: event.materialization.metadata["dagster/partition_row_count"].value for (_, day), event in events}
    assert rows == {"2024-01-10": 3, "2024-01-11": 3, "2024-01-12": 3}
    frame = load_training_set(ready.store, "churn/v1").collect()
    assert frame.height == 9
    one = frame.filter((pl.col("household_id") == 2) & (pl.col("time").dt.day() == 11)).row(0, named=True)
    for view, feature in ((HouseholdSpend, "spend_7d"), (HouseholdProfile, "is_member")):
        stored = ready.store.values(view).scan().filter(pl.col("household_id") == 2).collect()
        known = stored.filter(pl.col("as_of").dt.day() == 11)
        assert one[f"{view.name}__{feature}"] == known[feature].item()


def test_days_whose_labels_are_open_are_not_built_and_others_are(ready):
    ready.run([TABLE], "2024-01-08", "2024-01-13")
    ready.run(["retail/household_profile/v1/_table"], "2024-01-08", "2024-01-13")
    ready.definitions = dg.Definitions.merge(
        build_feature_assets(
            views, training_sets=[replace(project.training, known_until=lambda _store, _start: day(10))]
        ),
        dg.Definitions(assets=project.raw_assets, resources=ready.resources),
    )
    part = ready.run(["training/churn_v1"], "2024-01-09", "2024-01-12", raise_on_error=False)
    assert "the rows from 2024-01-11 on are not known yet" in failure_of(part)
    assert "2 of 4 days were built" in failure_of(part)
    assert logged(ready.instance, part.run_id) == {"training/churn_v1": {"2024-01-09", "2024-01-10"}}
    assert load_training_set(ready.store, "churn/v1").collect().height == 6
    none = ready.run(["training/churn_v1"], "2024-01-11", raise_on_error=False)
    assert "0 of 1 days were built" in failure_of(none)
    assert logged(ready.instance, none.run_id) == {}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    (failed,) = result.get_step_failure_events()
    return failed.step_failure_data.user_failure_data.description


def test_a_question_about_impact_is_a_click(ready):
    graph = ready.definitions.resolve_asset_graph()
    below = dg.AssetSelection.assets(["raw", "transactions"]).downstream().resolve(graph)
    model = dg.AssetKey(["models", "churn"])
    assert {model, dg.AssetKey(["training", "churn_v1"]), dg.AssetKey(ONLINE.split("/"))} <= below
    parents = {key.to_user_string() for key in graph.get(model).parent_keys}
    assert parents == {
        f"{VIEW}/spend_7d",
        f"{VIEW}/spend_trend",
        f"{VIEW}/days_since_last_purchase",
        "retail/household_profile/v1/income",
        "retail/household_profile/v1/is_member",
        "training/churn_v1",
    }
    assert not graph.get(model).is_executable
