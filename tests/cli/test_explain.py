"""``features explain``: every fact behind a value, on the small store, and errors that say what to do."""

import shutil
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from feature_assets.project import load_declarations
from feature_store.offline.tables.store import OfflineStore
from tests.fixtures.small_store import SmallStore

AS_OF = datetime(2018, 1, 2, tzinfo=UTC)
AT = "--at=2018-01-02T06:00:00Z"
KEY = "--key=household_id=907"
SPEND = load_declarations().views["retail/household_spend/v1"]


def own(store: SmallStore, household: int = 907) -> pl.DataFrame:
    return store.purchases.filter(pl.col("household_id") == household)


def within(rows: pl.DataFrame, days: int) -> pl.DataFrame:
    time = pl.col("purchased_at")
    return rows.filter(time >= AS_OF - timedelta(days=days), time < AS_OF)


def test_an_aggregate_shows_partition_window_tiles_events_and_every_store(filled, small_store):
    found = filled.json("explain", "household_spend.spend_7d", KEY, AT, "--show=100")
    assert found["feature"] == "retail/household_spend/v1.spend_7d"
    assert (found["kind"], found["dtype"], found["keys"]) == ("aggregate", "Float32", {"household_id": 907})
    partition = found["partition"]
    assert (partition["status"], partition["as_of"]) == ("PRESENT", "2018-01-02T00:00:00Z")
    assert partition["available_at"] == "2018-01-02T02:00:00Z"
    assert (partition["ttl"], partition["expires_at"]) == ("3d", "2018-01-05T00:00:00Z")
    assert partition["generation"] >= 1
    assert partition["published_at"] is not None
    window = {"tail": "2017-12-26T00:00:00Z", "head": "2018-01-02T00:00:00Z", "over": "7d", "hop": "1h"}
    assert found["contents"]["window"] == window
    rows = within(own(small_store), 7)
    events = found["contents"]["counted"]
    assert events["total"] == rows.height == len(events["shown"])
    assert sum(event["value"] for event in events["shown"]) == pytest.approx(rows["sales_value"].sum())
    times = [event["time"] for event in events["shown"]]
    assert times == sorted(times, reverse=True)
    tiles = found["contents"]["tiles"]["shown"]
    assert sum(tile["state"]["rows"] for tile in tiles) == rows.height
    assert sum(tile["state"]["sum"] for tile in tiles) == pytest.approx(rows["sales_value"].sum())
    sides = found["sides"]
    assert sides["agree"]
    assert sides["verdict"] == "same: offline and online as recomputed"
    assert sides["recomputed"]["value"] == sides["offline"]["value"] == sides["online"]["value"]
    assert sides["offline"]["value"] == pytest.approx(rows["sales_value"].sum(), rel=1e-6)


def test_what_just_missed_is_listed_nearest_first_with_the_reason(filled, small_store):
    found = filled.json("explain", "household_spend.private_label_30d", KEY, AT, "--show=500")
    rows = own(small_store)
    missed = found["contents"]["missed"]
    (failed,) = [listing for reason, listing in missed.items() if reason.startswith("fails the filter (brand ")]
    assert failed["total"] == within(rows, 30).filter(pl.col("brand") != "Private").height
    assert {event["columns"]["brand"] for event in failed["shown"]} <= {"National"}
    before = missed["before the tail, 2017-12-03T00:00:00Z"]
    times = [event["time"] for event in before["shown"]]
    assert times == sorted(times, reverse=True)
    assert before["shown"][0]["off_by"]
    assert all(time < "2017-12-03T00:00:00Z" for time in times)


def test_events_at_and_after_the_as_of_just_miss(filled, small_store):
    found = filled.json("explain", "household_spend.spend_7d", KEY, "--at=2017-12-31T01:00:00Z", "--show=500")
    assert found["partition"]["as_of"] == "2017-12-30T00:00:00Z"
    after = found["contents"]["missed"]["at or after the as-of, 2017-12-30T00:00:00Z"]
    rows = own(small_store).filter(pl.col("purchased_at") >= datetime(2017, 12, 30, tzinfo=UTC))
    assert after["total"] == rows.height > 0
    assert found["sides"]["online"] is None
    assert "holds nothing that was served at T" in found["sides"]["online_note"]
    assert found["sides"]["verdict"] == "same: offline as recomputed"


def test_an_entity_without_events_is_empty(filled):
    found = filled.json("explain", "household_spend.spend_7d", "--key=household_id=5", AT)
    assert found["partition"]["status"] == "EMPTY"
    assert found["sides"]["offline"] == {"value": 0.0, "status": "EMPTY"}
    assert (found["contents"]["counted"]["total"], found["contents"]["tiles"]["total"]) == (0, 0)


def test_a_time_before_history_is_not_computed_and_says_from_when(filled):
    found = filled.json("explain", "household_spend.spend_7d", KEY, "--at=2017-06-01T06:00:00Z")
    assert found["partition"]["status"] == "NOT_COMPUTED"
    (note,) = found["partition"]["notes"]
    assert note.endswith("the first one, as-of 2017-12-30T00:00:00Z, is available from 2017-12-30T02:00:00Z")
    assert found["sides"]["recomputed"] == found["sides"]["offline"] == {"value": None, "status": "NOT_COMPUTED"}


def test_an_expired_value_is_null_and_a_hole_is_named(filled):
    found = filled.json("explain", "household_spend.spend_7d", KEY, "--at=2018-01-09T06:00:00Z")
    assert found["partition"]["status"] == "EXPIRED"
    assert found["sides"]["offline"] == {"value": None, "status": "EXPIRED"}
    assert found["sides"]["agree"]
    assert "as-of 2018-01-09T00:00:00Z would be available by T" in found["partition"]["notes"][0]
    assert found["contents"]["counted"]["total"] > 0


def test_a_table_shows_which_row_won_and_why_others_lost(filled, small_store):
    rows = small_store.offline.source("raw/demographics").scan().collect()
    household = rows["household_id"][0]
    found = filled.json("explain", "household_profile.marital_status", f"--key=household_id={household}", AT)
    shown = found["rows"]["shown"]
    assert [row["verdict"] for row in shown][:1] == ["won: the latest row before the as-of"]
    assert shown[0]["columns"]["household_id"] == household
    assert found["contents"] is None


def test_a_row_past_its_end_leaves_the_entity_without_values(filled, small_store):
    rows = small_store.offline.source("raw/campaigns").scan().collect().sort("started_at")
    ended = rows.filter(pl.col("ends_at") < AS_OF)["household_id"].unique()
    held = rows.filter(pl.col("ends_at") >= AS_OF)["household_id"].unique()
    household = next(h for h in ended.sort().to_list() if h not in held.to_list())
    feature = load_declarations().views["retail/household_campaign/v1"].stored_features[0].name
    found = filled.json("explain", f"household_campaign.{feature}", f"--key=household_id={household}", AT)
    verdicts = [row["verdict"] for row in found["rows"]["shown"]]
    assert any(verdict.startswith("latest, but valid to") for verdict in verdicts)
    assert found["partition"]["status"] == "EMPTY"


def test_a_derived_feature_shows_what_it_reads(filled):
    found = filled.json("explain", "household_spend.spend_trend", KEY, AT)
    short, long = found["reads"]
    assert (short["feature"], long["feature"]) == ("spend_7d", "spend_90d")
    assert short["window"]["tail"] == "2017-12-26T00:00:00Z"
    assert 0 < short["counted"] < long["counted"]
    assert found["sides"]["offline"]["value"] == pytest.approx(
        short["sides"]["offline"]["value"] / long["sides"]["offline"]["value"]
    )


def test_an_on_read_feature_shows_the_stored_value_it_reads(filled):
    found = filled.json("explain", "household_visits.days_since_last_purchase", KEY, AT)
    (read,) = found["reads"]
    last = datetime.fromisoformat(read["sides"]["offline"]["value"])
    days = (datetime(2018, 1, 2, 6, tzinfo=UTC) - last) / timedelta(days=1)
    assert found["sides"]["recomputed"]["value"] == found["sides"]["online"]["value"] == days
    weekday = filled.json("explain", "household_visits.weekday", KEY, AT)
    assert (weekday["sides"]["offline"]["value"], weekday["reads"]) == (1, [])


def test_all_history_has_no_tail(filled, small_store):
    view = load_declarations().views["retail/household_lifetime/v1"]
    feature = next(f for f in view if f.aggregation is not None and f.aggregation.window is None)
    found = filled.json("explain", f"household_lifetime.{feature.name}", KEY, AT)
    assert found["contents"]["window"]["over"] is None
    assert found["contents"]["window"]["tail"] == "2017-01-01T00:00:00Z"
    assert found["contents"]["counted"]["total"] > 10 == len(found["contents"]["counted"]["shown"])


def test_now_is_the_default_time(filled):
    assert filled.json("explain", "household_spend.spend_7d", KEY)["time"] == "2018-01-02T06:00:00Z"


def test_a_value_that_differs_is_called_so(filled, small_store, tmp_path, monkeypatch):
    shutil.copytree(small_store.offline.root, tmp_path / "offline")
    monkeypatch.setenv("FEATURES_OFFLINE_ROOT", str(tmp_path / "offline"))
    table = OfflineStore(str(tmp_path / "offline")).values(SPEND)
    newest = table.ledger.partitions().row(-1, named=True)
    start = newest["partition_start"]
    rows = table.scan(start).collect().with_columns(pl.col("units_30d") + 1)
    table.write(rows, start, newest["as_of"], run_id="planted", inputs_hash={start: newest["inputs_hash"]})
    found = filled.json("explain", "household_spend.units_30d", KEY, AT)
    assert found["sides"]["verdict"] == "DIFFERENT: offline not as recomputed"
    assert found["sides"]["offline"]["value"] == found["sides"]["recomputed"]["value"] + 1
    assert "DIFFERENT: offline not as recomputed" in filled.text("explain", "household_spend.units_30d", KEY, AT)


def test_people_read_tables(filled, small_store):
    shown = filled.text("explain", "household_spend.spend_7d", KEY, AT, "--show=2")
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "verdict same: offline and online as recomputed" in lines
    assert "tail 2017-12-26T00:00:00Z" in lines
    assert "head 2018-01-02T00:00:00Z (itself not counted)" in lines
    assert f"Events that count: 2 of {within(own(small_store), 7).height}" in lines
    assert "TTL 3d, expires at 2018-01-05T00:00:00Z" in lines


def test_people_see_which_events_the_value_is_of(filled, small_store):
    shown = filled.text("explain", "household_visits.last_department", KEY, AT, "--show=2")
    events = [line.split() for line in shown.partition("Events that count")[2].splitlines()[2:4]]
    latest = own(small_store).sort("purchased_at", "department")["department"][-1]
    assert [event[1] for event in events] == ["value", "-"]
    assert " ".join(events[0][2:]) == f"{latest} {latest}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["household_spend.spend_7", KEY], "did you mean household_spend.spend_7d"),
        (["household_spent.spend_7d", KEY], "there is no view, feature or service called"),
        (["household_spend", KEY], "household_spend is not a single feature: write view.feature"),
        (["churn", KEY], "churn is not a single feature"),
        (["household_spend.spend_7d", "--key=household_id=x"], "'x' is not a whole number"),
        (
            ["household_spend.spend_7d", "--key=store_id=1"],
            "'store_id' is not a key here: write --key household_id=900",
        ),
        (["household_spend.spend_7d", KEY, "--key=household_id=8"], "--key names 2 entities: explain one at a time"),
        (["household_department.spend_28d", KEY], "key 'department' is missing"),
        (["household_spend.spend_7d"], "Missing option '--key'"),
        (
            ["household_spend.spend_7d", KEY, "--at=yesterday"],
            "--at 'yesterday' is not a time: write it like 2026-01-31T06:00:00Z",
        ),
        (["household_spend.spend_7d", KEY, "--at=2018-01-02T06:00"], "has no time zone: write 2018-01-02T06:00:00Z"),
    ],
)
def test_errors_say_what_to_do(filled, arguments, message):
    assert message in filled.refused("explain", *arguments)


def test_an_empty_project_says_that_nothing_was_computed(features, monkeypatch):
    monkeypatch.setenv("FEATURES_ONLINE_URL", "redis://127.0.0.1:1/0")
    found = features.json("explain", "household_spend.spend_7d", KEY, AT)
    assert found["partition"]["status"] == "NOT_COMPUTED"
    assert found["partition"]["notes"] == ["nothing of retail/household_spend/v1 was ever computed"]
    assert "127.0.0.1:1" in found["sides"]["online_note"]
