"""A damaged row online, as every command tells it: null and DAMAGED, for its own entity and view alone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from feature_assets.parity.served import log_rows
from feature_store.plans.plan_revisions import read_plans
from serving.client import FeatureClient
from tests.demo.row_corruption import damaged_row
from tests.fixtures.small_store import SmallStore

T = datetime(2018, 1, 2, 6, tzinfo=UTC)
AT = "--at=2018-01-02T06:00:00Z"
VIEW = "retail/household_spend/v1"
KEYS = ("--key=household_id=905", "--key=household_id=912")


@pytest.fixture(autouse=True)
def _damaged(small_store: SmallStore) -> Iterator[None]:
    with damaged_row(small_store.environment["FEATURES_ONLINE_URL"], VIEW, 905, T):
        yield


def test_get_says_so_for_the_entity_alone(filled):
    answer = filled.json("get", "household_spend", *KEYS, AT)
    name = "household_spend__spend_7d"
    assert answer["status"][name] == ["DAMAGED", "PRESENT"]
    assert answer["features"][name][0] is None
    assert answer["features"][name][1] is not None
    assert "(DAMAGED)" in filled.text("get", "household_spend", *KEYS, AT)


def test_get_of_a_service_keeps_the_values_of_other_views(filled):
    answer = filled.json("get", "churn", *KEYS, AT)
    of_view = {name: codes for name, codes in answer["status"].items() if name.startswith("household_spend__")}
    others = [codes for name, codes in answer["status"].items() if name.startswith("household_profile__")]
    assert of_view
    assert {codes[0] for codes in of_view.values()} == {"DAMAGED"}
    assert "DAMAGED" not in {codes[1] for codes in of_view.values()}
    assert others
    assert not any("DAMAGED" in codes for codes in others)


def test_explain_shows_it_beside_what_it_should_be_and_says_what_to_do(filled):
    found = filled.json("explain", "household_spend.spend_7d", KEYS[0], AT)
    assert found["sides"]["online"] == {"value": None, "status": "DAMAGED"}
    assert found["sides"]["offline"] == {"value": found["sides"]["offline"]["value"], "status": "PRESENT"}
    assert found["sides"]["verdict"] == (
        "DIFFERENT: the row online is damaged; `features verify VIEW --online --repair` loads it again"
    )
    assert not found["sides"]["agree"]
    assert "(DAMAGED)" in filled.text("explain", "household_spend.spend_7d", KEYS[0], AT)
    sound = filled.json("explain", "household_spend.spend_7d", KEYS[1], AT)
    assert sound["sides"]["agree"]


def test_parity_counts_it_as_different(filled):
    code, out, _ = filled("parity", "household_spend", "--entities=100", "--instants=1", "--json")
    assert code == 1
    assert "DAMAGED" in out


def test_replay_tells_it_from_what_should_have_been_served(filled, small_store, tmp_path):
    plans = Path(small_store.environment["FEATURES_STATE"]) / "plans"
    with FeatureClient(plans, small_store.environment["FEATURES_ONLINE_URL"]) as client:
        served = client.get_features("churn/v1", {"household_id": [905, 912]}, time=T)
    log_rows(read_plans(plans)["churn/v1"], served).write_parquet(tmp_path / "log.parquet")
    code, out, _ = filled("replay", "churn", "--log", tmp_path / "log.parquet", "--promised")
    assert code == 1
    assert "DAMAGED" in out
    assert pl.read_parquet(tmp_path / "log.parquet").height == 2
