import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from feature_assets.project import load_declarations
from feature_store import String
from serving.load.sync import is_synced, sync_view
from serving.stores.open_store import open_loader
from tests.fixtures.small_store import HOUSEHOLDS, SmallStore

T = datetime(2018, 1, 2, 6, tzinfo=UTC)
"""The clock of the original dates stands here."""


def naive_spend(store: SmallStore, household: int, days: int) -> float:
    as_of = datetime(2018, 1, 2, tzinfo=UTC)
    rows = store.purchases.filter(
        pl.col("household_id") == household,
        pl.col("purchased_at") >= as_of - timedelta(days=days),
        pl.col("purchased_at") < as_of,
    )
    return rows["sales_value"].sum()


def test_get_a_service_for_many(filled, small_store):
    answer = filled.json("get", "churn", *[f"--key=household_id={household}" for household in (905, 912, 5)])
    assert (answer["service"], answer["version"], answer["time"]) == ("churn", 1, "2018-01-02T06:00:00.000000Z")
    assert answer["keys"] == {"household_id": [905, 912, 5]}
    assert answer["as_of"]["household_spend"] == "2018-01-02T00:00:00.000000Z"
    spend = [naive_spend(small_store, household, 30) for household in (905, 912)]
    assert answer["features"]["household_spend__spend_30d"] == pytest.approx([*spend, 0.0], rel=1e-6)
    assert answer["status"]["household_spend__spend_30d"] == ["PRESENT", "PRESENT", "EMPTY"]
    assert answer["features"]["household_profile__marital_status"][2] == "Unknown"


def test_get_a_view_by_a_composite_key(filled, small_store):
    row = small_store.offline.stored_values("retail/household_department/v1").scan().collect().filter(
        pl.col("as_of") == pl.col("as_of").max()
    ).row(0, named=True)  # fmt: skip
    key = [f"--key=household_id={row['household_id']}", f"--key=department={row['department']}"]
    answer = filled.json("get", "household_department", *key)
    assert answer["features"]["household_department__spend_28d"] == pytest.approx([row["spend_28d"]])
    assert answer["features"]["household_department__baskets_28d"] == [row["baskets_28d"]]


def test_get_at_a_time_reads_what_was_available_then(filled):
    key = ("household_spend", "--key", "household_id=905")
    after = filled.json("get", *key, "--at", "2018-01-02T03:00:00+00:00")
    assert after["time"] == "2018-01-02T03:00:00.000000Z"
    assert after["as_of"] == filled.json("get", *key)["as_of"] == {"household_spend": "2018-01-02T00:00:00.000000Z"}
    before = filled.json("get", *key, "--at", "2018-01-02T02:00:00Z")
    assert before["as_of"] == {"household_spend": None}
    assert {*before["status"]["household_spend__spend_7d"]} == {"NOT_COMPUTED"}


def test_get_at_a_time_without_a_zone_is_refused(filled):
    message = filled.refused("get", "household_spend", "--key", "household_id=905", "--at", "2018-01-02T01:00")
    assert message == "--at '2018-01-02T01:00' has no time zone: write 2018-01-02T01:00:00Z"


def test_get_for_people_marks_what_is_empty(filled):
    shown = filled.text("get", "household_spend", "--key", "household_id=5")
    assert "2018-01-02T06:00:00.000000Z" in shown
    line = next(line for line in shown.splitlines() if line.startswith("household_spend__spend_7d"))
    assert line.split() == ["household_spend__spend_7d", "0.0", "(EMPTY)"]


@pytest.mark.parametrize("name", load_declarations().views)
def test_every_shipped_view_can_be_shown(filled, small_store, name):
    """An entity that has values and one that nobody has heard of: EMPTY, null and arrays too."""
    view = load_declarations().views[name]
    table = small_store.offline.tiles(view) if view.is_stream else small_store.offline.values(view)
    known = table.scan().select(view.keys).collect().row(0)
    keys = [f"--key={key}={value}" for key, value in zip(view.keys, known, strict=True)]
    keys += [f"--key={key}={'NOWHERE' if dtype == String else 5}" for key, dtype in view.entity.keys.items()]
    answer = filled.json("get", name, *keys)
    words = filled.text("get", name, *keys).split()
    for feature, statuses in answer["status"].items():
        assert feature in words
        assert all(status == "PRESENT" or f"({status})" in words for status in statuses)


def test_no_column_is_dropped_and_no_digit_is_cut_in_a_narrow_terminal(filled, monkeypatch):
    keys = [f"--key=household_id={household}" for household in (905, 912, 5, 921)]
    wide = filled.text("get", "churn", *keys)
    monkeypatch.setenv("COLUMNS", "80")
    narrow = filled.text("get", "churn", *keys)
    assert max(map(len, narrow.splitlines())) <= 80
    lines = [line.split("  ") for line in wide.splitlines() if line.startswith(("household_", "lifetime_"))]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert {len(row) for row in cells} == {5}
    blocks = [" ".join(line.split()) for line in narrow.splitlines()]
    for name, *values in cells[1:]:
        assert [line for line in blocks if line.startswith(f"{name} ")] == [f"{name} {value}" for value in values]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["churn", "--key", "household_id=x"], "'x' is not a whole number"),
        (["churn", "--key", "store_id=1"], "'store_id' is not a key here: write --key household_id=900"),
        (["household_department", "--key", "household_id=1"], "key 'department' is missing"),
        (["curn", "--key", "household_id=1"], "did you mean churn"),
        (["household_spend.spend_7d", "--key", "household_id=1"], "is a single feature: get its view, household_spend"),
        (["churn"], "Missing option '--key'"),
    ],
)
def test_get_refuses(filled, arguments, message):
    assert message in filled.refused("get", *arguments)


def test_get_before_apply_says_so(filled, monkeypatch, tmp_path):
    monkeypatch.setenv("FEATURES_PLANS", str(tmp_path))
    assert "run `features apply`" in filled.refused("get", "churn", "--key", "household_id=905")


def test_get_without_a_server_says_so(filled, monkeypatch):
    monkeypatch.setenv("FEATURES_ONLINE_URL", "redis://127.0.0.1:1/0")
    assert "127.0.0.1:1" in filled.refused("get", "churn", "--key", "household_id=905")


SPINE = pl.DataFrame(
    {
        "household_id": [905, 5, None, 905],
        "time": [T, T, T, datetime(2017, 12, 31, 12, tzinfo=UTC)],
        "label": [1, 0, 0, 1],
    },
    schema={"household_id": pl.Int64, "time": pl.Datetime("us", "UTC"), "label": pl.Int64},
)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_training_set_keeps_the_spine_and_equals_what_is_served(filled, tmp_path, suffix):
    spine, out = tmp_path / f"spine.{suffix}", tmp_path / "out.parquet"
    SPINE.write_parquet(spine) if suffix == "parquet" else SPINE.write_csv(spine, datetime_format="%FT%TZ")
    written = filled.json("training-set", "churn", "--spine", spine, "--out", out)
    rows = pl.read_parquet(out)
    assert (written["rows"], written["columns"]) == (4, rows.columns)
    assert rows.select(SPINE.columns).equals(SPINE if suffix == "parquet" else SPINE.cast({"label": pl.String}))
    served = filled.json("get", "churn", "--key=household_id=905", "--key=household_id=5")["features"]
    for name, values in served.items():
        assert json.loads(json.dumps(rows[name].head(2).to_list())) == values, name


def test_a_training_set_as_csv(filled, tmp_path):
    spine, out = tmp_path / "spine.csv", tmp_path / "out.csv"
    spine.write_text(f"household_id,at,label\n{HOUSEHOLDS.start},2018-01-01T06:00:00+00:00,1\n")
    options = ["--time-column", "at", "--with-status"]
    assert "1 rows" in filled.text("training-set", "churn/v1", "--spine", spine, "--out", out, *options)
    rows = pl.read_csv(out)
    assert rows["household_spend__as_of"].to_list() == ["2018-01-01T00:00:00.000000+00:00"]
    assert rows["household_visits__weekday"].to_list() == [0]
    assert rows["household_visits__weekday__status"].to_list() == ["PRESENT"]


def test_rows_before_history_need_allow_missing(filled, tmp_path):
    spine, out = tmp_path / "spine.csv", tmp_path / "out.csv"
    spine.write_text("household_id,time\n905,2017-06-01T06:00:00Z\n")
    command = ["training-set", "churn", "--spine", spine, "--out", out]
    refused = filled.refused(*command)
    assert "no partition holds" in refused
    assert "or pass --allow-missing to get null" in refused
    assert not out.exists()
    filled.text(*command, "--allow-missing")
    assert pl.read_csv(out)["household_spend__spend_7d"].to_list() == [None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("household_id,time\n905,2018-01-01T06:00:00\n", "has no time zone"),
        ("household_id,label\n905,1\n", "no column 'time'"),
        ("store_id,time\n905,2018-01-01T06:00:00Z\n", "no column 'household_id'"),
    ],
)
def test_a_bad_spine_is_refused(filled, tmp_path, text, message):
    spine = tmp_path / "spine.csv"
    spine.write_text(text)
    assert message in filled.refused("training-set", "churn", "--spine", spine, "--out", tmp_path / "out.csv")


def test_rows_of_the_future_are_refused(filled, tmp_path):
    for spine in (tmp_path / "spine.csv", tmp_path / "spine.parquet"):
        rows = pl.DataFrame({"household_id": [905, 906], "time": [T, T + timedelta(microseconds=1)]})
        rows = rows.cast({"time": pl.Datetime("us", "UTC")})
        rows.write_parquet(spine) if spine.suffix == ".parquet" else rows.write_csv(spine, datetime_format="%FT%T%.6fZ")
        refused = filled.refused("training-set", "churn", "--spine", spine, "--out", tmp_path / "out.csv")
        assert "row 2: time 2018-01-02T06:00:00.000001+00:00 is later than now, 2018-01-02T06:00:00+00:00" in refused


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], b"x", timedelta(1)])
def test_what_csv_cannot_hold_is_refused_before_anything_is_computed(filled, tmp_path, value):
    spine = tmp_path / "spine.parquet"
    pl.DataFrame({"household_id": [905], "extra": [value], "time": [T]}).write_parquet(spine)
    command = ["training-set", "churn", "--spine", spine, "--out"]
    refused = filled.refused(*command, tmp_path / "out.csv")
    assert "out.csv cannot hold column 'extra'" in refused
    assert refused.endswith("name a .parquet file")
    filled.text(*command, tmp_path / "out.parquet")


def test_missing_files_and_unknown_services_are_refused(filled, tmp_path):
    command = ["training-set", "churn", "--spine", tmp_path / "absent.csv", "--out"]
    assert "there is no such file" in filled.refused(*command, tmp_path / "out.csv")
    assert "there is no folder" in filled.refused(*command, tmp_path / "nowhere" / "out.csv")
    other = ["training-set", "household_spend", "--spine", tmp_path / "absent.csv", "--out", tmp_path / "out.csv"]
    assert "there is no service called 'household_spend'" in filled.refused(*other)


def test_restore_serves_yesterday_until_the_content_changes_or_it_is_undone(filled, small_store, valkey, monkeypatch):
    monkeypatch.setenv("FEATURES_ONLINE_URL", valkey)
    view = load_declarations().views["retail/household_spend/v1"]

    def served() -> str:
        return filled.json("get", "household_spend", "--key", "household_id=905")["as_of"]["household_spend"]

    with closing(open_loader(valkey)) as writer:
        sync_view(small_store.offline, view, writer, T - timedelta(days=1))
        assert served() == "2018-01-02T00:00:00.000000Z"
        restored = filled.json("restore", "household_spend")
        assert restored == {
            "view": "retail/household_spend/v1",
            "served": "2018-01-01T00:00:00.000000Z",
            "rejected": ["2018-01-02T00:00:00.000000Z"],
        }
        assert served() == "2018-01-01T00:00:00.000000Z"
        assert is_synced(small_store.offline, view, writer, T)
        sync_view(small_store.offline, view, writer, T)
        assert served() == "2018-01-01T00:00:00.000000Z", "the next load leaves it out"
        assert "no generation before the one as of 2018-01-01" in filled.refused("restore", "household_spend")
        shown = filled.text("restore", "household_spend", "--undo")
        assert "2018-01-02T00:00:00.000000Z" in shown
        assert not is_synced(small_store.offline, view, writer, T)
        sync_view(small_store.offline, view, writer, T)
        assert served() == "2018-01-02T00:00:00.000000Z"
        assert "rejected  2018-01-02T00:00:00.000000Z" in filled.text("restore", "household_spend")
    assert "is not a view" in filled.refused("restore", "churn")
    assert "nothing is served" in filled.refused("restore", "store_pulse")
