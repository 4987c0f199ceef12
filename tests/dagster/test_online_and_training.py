"""Online sync against a real Valkey, training sets, and models at the end of the lineage."""

import dagster as dg
import polars as pl
import pytest

from feature_store.durations import DAY
from feature_store.instants import to_microseconds
from feature_store.offline.training_sets import load_training_set
from serving.stores.writer import OnlineWriter
from tests.dagster.conftest import Location, materialised
from tests.dagster.sample.declarations import START, HouseholdProfile, HouseholdSpend

VIEW = "retail/household_spend/v1"
TABLE, ONLINE = f"{VIEW}/_table", f"online/{VIEW}"


@pytest.fixture
def served(ready, valkey) -> Location:
    location = Location(ready.instance, ready.root, online_url=valkey)
    location.url = valkey
    return location


def states(result) -> dict[str, str]:
    events = materialised(result)
    return {day: e.materialization.metadata["state"].value for (key, day), e in events.items() if key == ONLINE}


def test_the_newest_partition_is_loaded_and_older_ones_are_superseded(served):
    served.run([TABLE], "2024-01-10", "2024-01-12")
    result = served.run([ONLINE], "2024-01-10", "2024-01-12")
    assert states(result) == {"2024-01-10": "superseded", "2024-01-11": "superseded", "2024-01-12": "loaded"}
    (generation,) = OnlineWriter(served.url).generations(VIEW)
    assert generation.as_of == to_microseconds(START) + 12 * DAY
    ledger = served.store.values(HouseholdSpend).ledger.partitions()
    newest = ledger.row(-1, named=True)
    assert (generation.rows, generation.content_hash) == (newest["rows"], newest["content_hash"])
    assert newest["generation"] == generation.id
    assert ledger["published_at"].is_not_null().to_list() == [False, False, True]


def test_loading_again_changes_nothing(served):
    served.run([TABLE], "2024-01-12")
    served.run([ONLINE], "2024-01-12")
    before = OnlineWriter(served.url).generations(VIEW)
    ledger = served.store.values(HouseholdSpend).ledger.partitions()
    assert states(served.run([ONLINE], "2024-01-12")) == {"2024-01-12": "already loaded"}
    assert OnlineWriter(served.url).generations(VIEW) == before
    assert served.store.values(HouseholdSpend).ledger.partitions().equals(ledger)


def test_a_newer_partition_takes_over_unless_it_was_rejected(served):
    served.run([TABLE], "2024-01-11")
    served.run([ONLINE], "2024-01-11")
    served.run([TABLE], "2024-01-12")
    served.run([ONLINE], "2024-01-12")
    writer = OnlineWriter(served.url)
    assert max(g.as_of for g in writer.generations(VIEW)) == to_microseconds(START) + 12 * DAY
    assert states(served.run([ONLINE], "2024-01-11")) == {"2024-01-11": "superseded"}
    writer.restore(VIEW)
    assert states(served.run([ONLINE], "2024-01-12")) == {"2024-01-12": "rejected"}
    assert max(g.as_of for g in writer.generations(VIEW)) == to_microseconds(START) + 11 * DAY


def test_a_view_without_partitions_says_what_to_do(served):
    with pytest.raises(Exception, match="materialize its table first"):
        served.run([ONLINE], "2024-01-12")


def test_a_training_set_is_the_point_in_time_join_of_its_spine(ready):
    ready.run([TABLE], "2024-01-08", "2024-01-13")
    ready.run(["retail/household_profile/v1/_table"], "2024-01-08", "2024-01-13")
    result = ready.run(["training/churn/v1"], "2024-01-10", "2024-01-12")
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


def test_a_question_about_impact_is_a_click(ready):
    graph = ready.definitions.resolve_asset_graph()
    below = dg.AssetSelection.assets(["raw", "transactions"]).downstream().resolve(graph)
    model = dg.AssetKey(["models", "churn"])
    assert {model, dg.AssetKey(["training", "churn", "v1"]), dg.AssetKey(ONLINE.split("/"))} <= below
    parents = {key.to_user_string() for key in graph.get(model).parent_keys}
    assert parents == {
        f"{VIEW}/spend_7d",
        f"{VIEW}/spend_trend",
        f"{VIEW}/days_since_last_purchase",
        "retail/household_profile/v1/income",
        "retail/household_profile/v1/is_member",
        "training/churn/v1",
    }
    assert not graph.get(model).is_executable
