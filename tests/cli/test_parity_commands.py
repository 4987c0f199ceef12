"""``features parity`` and ``features replay`` on the small store."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from feature_assets.parity.served import log_rows
from feature_assets.project import load_declarations
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.plan_revisions import read_plans
from serving.client import FeatureClient
from tests.fixtures.small_store import SmallStore

T = datetime(2018, 1, 2, 6, tzinfo=UTC)
SMALL = ("--entities=3", "--instants=1")


@pytest.fixture
def log(small_store: SmallStore, tmp_path: Path) -> Path:
    """What the churn service answered."""
    plans = Path(small_store.environment["FEATURES_STATE"]) / "plans"
    with FeatureClient(plans, small_store.environment["FEATURES_ONLINE_URL"]) as client:
        served = client.get_features("churn/v1", {"household_id": [905, 912, 5]}, time=T)
    log_rows(read_plans(plans)["churn/v1"], served).write_parquet(tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


def test_parity_counts_by_path_and_feature(filled):
    found = filled.json("parity", "household_campaign", *SMALL)
    assert (found["view"], found["different"], found["problems"]) == ("retail/household_campaign/v1", [], [])
    assert {tally["path"] for tally in found["tallies"]} == {"offline", "online", "online = offline"}
    shown = filled.text("parity", "household_campaign", *SMALL)
    assert "values compared, 0 different" in shown
    assert "largest difference" in shown


def test_what_cannot_be_compared_is_exit_code_2_and_says_why(features, filled, monkeypatch):
    monkeypatch.setenv("FEATURES_ONLINE_URL", "redis://127.0.0.1:1/0")
    code, out, _err = filled("parity", "household_campaign", *SMALL)
    assert code == 2
    assert "the online store cannot be read: online store redis://127.0.0.1:1/0: " in out
    assert "refused. Check that the server runs" in out


def test_parity_of_what_was_never_computed_is_exit_code_2(features, monkeypatch):
    monkeypatch.setenv("FEATURES_ONLINE_URL", "redis://127.0.0.1:1/0")
    code, out, _err = features("parity", "household_spend")
    assert code == 2
    assert "nothing to compare" in out


def test_values_that_differ_are_exit_code_1(filled, small_store, tmp_path, monkeypatch):
    shutil.copytree(small_store.offline.root, tmp_path / "offline")
    monkeypatch.setenv("FEATURES_OFFLINE_ROOT", str(tmp_path / "offline"))
    view = load_declarations().views["retail/household_campaign/v1"]
    table = OfflineStore(str(tmp_path / "offline")).values(view)
    for newest in table.ledger.partitions().to_dicts():
        start = newest["partition_start"]
        rows = table.scan(start, newest["as_of"]).collect().with_columns(pl.col("campaign_id") + 1000)
        inputs = {start: newest["inputs_hash"]}
        table.write(rows, start, newest["as_of"], run_id="planted", inputs_hash=inputs)
    code, out, _err = filled("parity", "household_campaign")
    assert code == 1
    assert "campaign_id" in out


def test_a_log_is_replayed_by_what_was_promised(filled, log):
    found = filled.json("replay", "churn", "--log", log, "--promised")
    assert found["rows"] == 3
    assert (found["compared"] > 30, found["different"]) == (True, [])


def test_values_served_before_they_were_published_differ(filled, log):
    """The small store was loaded today, and pretends to have served in 2018."""
    code, out, _err = filled("replay", "churn", "--log", log)
    assert code == 1
    assert "null (NOT_COMPUTED)" in out


def test_a_log_that_was_tampered_with_is_found(filled, log):
    rows = pl.read_parquet(log).with_columns(pl.col("household_spend__units_30d") + 1)
    rows.write_parquet(log)
    code, out, _err = filled("replay", "churn", "--log", log, "--promised", "--json")
    assert code == 1
    assert '"household_spend__units_30d"' in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["parity", "churn"], "churn is not a view"),
        (["parity", "household_spent"], "there is no view, feature or service called"),
        (["replay", "churn", "--log=nowhere.parquet"], "there is no Parquet file of that name"),
        (["replay", "curn", "--log=nowhere.parquet"], "did you mean churn"),
    ],
)
def test_errors_say_what_to_do(filled, arguments, message):
    assert message in filled.refused(*arguments)


def test_a_log_that_is_no_parquet_is_refused(filled, tmp_path):
    (tmp_path / "garbage.parquet").write_bytes(b"not a log")
    assert "garbage.parquet cannot be read: " in filled.refused(
        "replay", "churn", "--log", tmp_path / "garbage.parquet"
    )
