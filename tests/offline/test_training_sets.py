"""Training sets: built from a service and a spine, stored by day, loaded lazily, explained by their manifest."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_store.errors import FingerprintError, InputError, NotComputedError, VersionExpiredError
from feature_store.model.services import FeatureService
from feature_store.offline.tables import open_table as reading
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.manifests import Manifest
from feature_store.offline.training.training_sets import (
    build_training_set,
    load_manifest,
    load_training_set,
    stale_days,
    write_training_set,
)
from feature_store.status import Status
from tests.offline.definitions import INSTANT, ShopperSpend, ShopperTown, day, fill, service, spend_values


@pytest.fixture
def filled(store: OfflineStore) -> OfflineStore:
    return fill(store, shoppers=(1, 2))


def spine_of(*times: datetime) -> pl.DataFrame:
    rows = [(1 + number % 3, at, f"label {number}") for number, at in enumerate(times)]
    return pl.DataFrame(rows, schema={"shopper_id": pl.Int64, "time": INSTANT, "label": pl.String}, orient="row")


SPINE = spine_of(day(4), day(2, 3), day(4), day(3, 23.9), day(2, 3))


def sorted_rows(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort("label")


def test_a_training_set_is_the_spine_and_the_features_of_the_service(filled: OfflineStore) -> None:
    built = build_training_set(filled, service, SPINE.lazy())
    assert_frame_equal(built.frame.select(SPINE.columns), SPINE)
    assert built.frame["shopper_spend__pieces_3d"].to_list() == [3, 3, 0, 3, 3]
    manifest = built.manifest
    assert manifest.service == "shop_model/v1"
    assert manifest.delta_versions == {
        view.full_name: filled.values(view).delta_version() for view in (ShopperSpend, ShopperTown)
    }
    assert (manifest.rows, manifest.start, manifest.end) == (5, day(2, 3), day(4))
    assert manifest.fingerprints["shopper_spend__pieces_3d"] == ShopperSpend.fingerprints["pieces_3d"]
    assert manifest.fingerprints["shopper_spend__days"] == f"days_since({ShopperSpend.fingerprints['last_time']})"
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_writing_is_by_day_and_idempotent(filled: OfflineStore) -> None:
    built = build_training_set(filled, service, SPINE)
    assert write_training_set(filled, "churn", built, run_id="a") == 5
    assert write_training_set(filled, "churn", built, run_id="b") == 5
    loaded = load_training_set(filled, "churn")
    assert isinstance(loaded, pl.LazyFrame)
    assert_frame_equal(sorted_rows(loaded.collect()), sorted_rows(built.frame))
    second = load_training_set(filled, "churn", day(3), day(4)).collect()
    assert second["label"].to_list() == ["label 3"]
    assert load_manifest(filled, "churn") == built.manifest


def test_a_given_range_is_replaced_whole(filled: OfflineStore) -> None:
    write_training_set(filled, "churn", build_training_set(filled, service, SPINE), day(2), day(5), run_id="a")
    fewer = build_training_set(filled, service, spine_of(day(4, 1)))
    write_training_set(filled, "churn", fewer, day(3), day(5), run_id="b")
    labels = load_training_set(filled, "churn").collect()["time"].sort().to_list()
    assert labels == [day(2, 3), day(2, 3), day(4, 1)]
    with pytest.raises(InputError, match="are in no partition of"):
        write_training_set(filled, "churn", fewer, day(3), day(4), run_id="c")
    nothing = build_training_set(filled, service, spine_of())
    with pytest.raises(InputError, match="give start and end"):
        write_training_set(filled, "churn", nothing, run_id="d")
    assert write_training_set(filled, "churn", nothing, day(2), day(5), run_id="e") == 0
    assert load_training_set(filled, "churn").collect().height == 0


def test_a_column_that_storing_would_overwrite_is_refused(filled: OfflineStore) -> None:
    built = build_training_set(filled, service, SPINE.with_columns(partition_start="label"))
    assert built.frame["partition_start"].to_list() == [row["label"] for row in SPINE.to_dicts()]
    with pytest.raises(
        InputError,
        match="training set churn: column 'partition_start' is called like one of the store's own: rename it",
    ):
        write_training_set(filled, "churn", built, run_id="a")


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ("Partition_Start", "column 'Partition_Start' is called like one of the store's own"),
        ("Day", "column 'Day' is called like one of the store's own"),
        ("Time", "columns 'time' and 'Time' differ by case only"),
        ("LABEL", "columns 'label' and 'LABEL' differ by case only"),
        (
            "Shopper_Spend__Pieces_3d",
            "columns 'Shopper_Spend__Pieces_3d' and 'shopper_spend__pieces_3d' differ by case",
        ),
        ("*", "column '*' is called like a pattern"),
        ("^label$", "column '^label$' is called like a pattern"),
        ("^.*$", "column '^.*$' is called like a pattern"),
    ],
)
def test_a_column_that_could_not_be_told_apart_is_refused_before_anything_is_written(
    filled: OfflineStore, column: str, problem: str
) -> None:
    spine = SPINE.with_columns(pl.Series(column, range(SPINE.height)))
    built = build_training_set(filled, service, spine)
    assert_frame_equal(built.frame.select(pl.nth(range(spine.width))), spine)
    with pytest.raises(InputError, match=re.escape(f"training set churn: {problem}")):
        write_training_set(filled, "churn", built, run_id="a")
    assert not (Path(filled.root) / "training").exists()


@pytest.mark.parametrize(
    "name", ["a b", "a.b", "a,b", "ü", "a`b", "a'b", 'a"b', "a{b", "a=b", "a\nb", "", "$", "^", "a%20b"]
)
def test_a_column_of_any_other_name_is_stored_and_loaded(filled: OfflineStore, name: str) -> None:
    built = build_training_set(filled, service, SPINE.with_columns(pl.Series(name, range(SPINE.height))))
    write_training_set(filled, "churn", built, run_id="a")
    assert_frame_equal(sorted_rows(load_training_set(filled, "churn").collect()), sorted_rows(built.frame))


def test_a_column_that_differs_from_a_stored_one_by_case_only_is_refused(filled: OfflineStore) -> None:
    write_training_set(filled, "churn", build_training_set(filled, service, SPINE), run_id="a")
    renamed = build_training_set(filled, service, spine_of(day(5)).rename({"label": "Label"}))
    with pytest.raises(InputError, match="columns 'label' and 'Label' differ by case only: rename one of them"):
        write_training_set(filled, "churn", renamed, run_id="b")


def test_a_column_that_cannot_be_stored_is_refused_before_anything_is_written(filled: OfflineStore) -> None:
    built = build_training_set(filled, service, SPINE.with_columns(took=pl.duration(hours=1)))
    with pytest.raises(InputError, match="column 'took' is a Duration"):
        write_training_set(filled, "churn", built, run_id="a")
    assert not (Path(filled.root) / "training").exists()


@pytest.mark.parametrize("name", ["", " ", "a b", "../secrets", "/root", "a//b", "churn/", "ü"])
def test_a_name_that_is_no_path_is_refused(filled: OfflineStore, name: str) -> None:
    built = build_training_set(filled, service, SPINE)
    for act in (
        lambda: write_training_set(filled, name, built, run_id="a"),
        lambda: load_training_set(filled, name),
        lambda: load_manifest(filled, name),
    ):
        with pytest.raises(InputError, match="cannot be the name of a training set"):
            act()


def test_an_arrow_dataset_holds_the_same_rows(filled: OfflineStore) -> None:
    built = build_training_set(filled, service, SPINE.to_arrow())
    write_training_set(filled, "churn", built, run_id="a")
    dataset = load_training_set(filled, "churn", day(2), day(4), as_="arrow")
    expected = built.frame.filter(pl.col("time") < day(4))
    assert dataset.count_rows() == expected.height
    rows = pl.DataFrame(dataset.to_table(columns=["label", "shopper_spend__pieces_3d"]))
    assert_frame_equal(sorted_rows(rows), sorted_rows(expected.select(rows.columns)))
    assert load_training_set(filled, "churn", day(8), as_="arrow").count_rows() == 0


def test_days_built_from_other_definitions_are_not_mixed(filled: OfflineStore) -> None:
    write_training_set(filled, "churn", build_training_set(filled, service, SPINE), run_id="a")
    other = FeatureService("shop_model", 2, "storekeepers", "Fewer", [ShopperSpend["pieces_3d"]])
    later = build_training_set(filled, other, spine_of(day(5)))
    write_training_set(filled, "churn", later, run_id="b")
    with pytest.raises(FingerprintError, match="other columns or definitions"):
        load_training_set(filled, "churn")
    assert load_training_set(filled, "churn", day(5)).collect()["shopper_spend__pieces_3d"].to_list() == [4]


def test_days_are_loaded_with_the_columns_they_were_written_with(filled: OfflineStore) -> None:
    vectors = SPINE.with_columns(embedding=pl.Series([[1.0, 2.0]] * SPINE.height, dtype=pl.Array(pl.Float64, 2)))
    built = build_training_set(filled, service, vectors, with_status=True)
    write_training_set(filled, "churn", built, run_id="a")
    fewer = FeatureService("shop_model", 2, "storekeepers", "Fewer", [ShopperSpend["pieces_3d"]])
    write_training_set(filled, "churn", build_training_set(filled, fewer, spine_of(day(5))), run_id="b")
    first = load_training_set(filled, "churn", end=day(5)).collect()
    assert first.schema == built.frame.schema
    assert_frame_equal(sorted_rows(first), sorted_rows(built.frame))
    later = load_training_set(filled, "churn", day(5))
    assert later.collect_schema().names() == ["shopper_id", "time", "label", "shopper_spend__pieces_3d"]
    assert load_training_set(filled, "churn", day(8)).collect().schema == later.collect_schema()
    arrow = load_training_set(filled, "churn", day(5), as_="arrow")
    assert arrow.schema.names == [*later.collect_schema().names(), "partition_start", "day"]
    assert arrow.to_table()["shopper_spend__pieces_3d"].to_pylist() == [4]


def test_days_with_other_columns_are_not_mixed(filled: OfflineStore) -> None:
    write_training_set(filled, "churn", build_training_set(filled, service, SPINE), run_id="a")
    labelled = build_training_set(filled, service, spine_of(day(5)).with_columns(weight=1.0))
    write_training_set(filled, "churn", labelled, run_id="b")
    with pytest.raises(FingerprintError, match=r"2024-01-06.* other columns or definitions than 2024-01-03.*weight"):
        load_training_set(filled, "churn")
    assert load_training_set(filled, "churn", day(5)).collect()["weight"].to_list() == [1.0]


def test_a_training_set_that_does_not_exist_is_an_error(store: OfflineStore) -> None:
    for load in (load_training_set, load_manifest):
        with pytest.raises(NotComputedError, match="no training set 'churn'"):
            load(store, "churn")


def test_options_of_the_join_are_handed_on(filled: OfflineStore) -> None:
    early = spine_of(day(0))
    with pytest.raises(NotComputedError):
        build_training_set(filled, service, early)
    built = build_training_set(filled, service, early, allow_missing=True, with_status=True)
    assert built.frame["shopper_spend__pieces_3d__status"].to_list() == [2]
    actual = build_training_set(filled, service, SPINE, allow_missing=True, availability="actual")
    assert actual.frame["shopper_spend__pieces_3d"].null_count() == SPINE.height
    assert actual.manifest.availability == "actual"


PIECES = "shopper_spend__pieces_3d"


def test_a_pinned_training_set_is_built_as_it_was(filled: OfflineStore) -> None:
    first = build_training_set(filled, service, SPINE, allow_missing=True)
    filled.values(ShopperSpend).write(spend_values([(day(n), 1, 99) for n in range(2, 7)]), day(2), day(7), run_id="r")
    assert build_training_set(filled, service, SPINE).frame[PIECES].to_list() != first.frame[PIECES].to_list()
    again = build_training_set(filled, service, SPINE, pinned=first.manifest)
    assert_frame_equal(again.frame, first.frame)
    assert replace(again.manifest, created_at=first.manifest.created_at) == first.manifest
    # Its own plan stands in for a service that is no longer declared.
    assert_frame_equal(build_training_set(filled, first.manifest.plan, SPINE, pinned=first.manifest).frame, first.frame)
    later = spine_of(day(6, 5))
    assert build_training_set(filled, service, later, pinned=first.manifest).frame[PIECES].to_list() == [6]
    assert build_training_set(filled, service, later).frame[PIECES].to_list() == [99]


def test_what_was_never_written_when_a_set_was_pinned_is_not_computed_in_it(store: OfflineStore) -> None:
    spend = FeatureService("spend", 1, "storekeepers", "Spend", [ShopperSpend["pieces_3d"]])
    first = build_training_set(store, spend, SPINE, allow_missing=True)
    store.values(ShopperSpend).write(spend_values([(day(n), 1, n) for n in range(6)]), day(0), day(6), run_id="r")
    assert build_training_set(store, spend, SPINE).frame[PIECES].null_count() == 0
    with pytest.raises(NotComputedError):
        build_training_set(store, spend, SPINE, pinned=first.manifest)


def test_a_manifest_pins_its_own_views_for_as_long_as_their_versions_are_kept(
    filled: OfflineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend = FeatureService("spend", 1, "storekeepers", "Spend", [ShopperSpend["pieces_3d"]])
    first = build_training_set(filled, spend, SPINE)
    with pytest.raises(InputError, match=r"spend/v1 pins no version of shop/shopper_town/v1"):
        build_training_set(filled, service, SPINE, pinned=first.manifest)
    monkeypatch.setattr(reading, "RETENTION", timedelta(0))
    build_training_set(filled, spend, SPINE, pinned=first.manifest)
    filled.values(ShopperSpend).write(spend_values([]), day(8), day(9), run_id="r")
    with pytest.raises(VersionExpiredError, match=r"values: version 2 was replaced at .* kept for 0 days after that"):
        build_training_set(filled, spend, SPINE, pinned=first.manifest)


def test_stored_rows_are_loaded_as_they_were_by_the_id_of_their_manifest(filled: OfflineStore) -> None:
    first = build_training_set(filled, service, SPINE)
    write_training_set(filled, "churn", first, run_id="a")
    filled.values(ShopperSpend).write(spend_values([(day(n), 1, 99) for n in range(2, 5)]), day(2), day(5), run_id="r")
    second = build_training_set(filled, service, spine_of(day(4), day(4, 1)))
    write_training_set(filled, "churn", second, run_id="b")
    assert load_manifest(filled, "churn") == second.manifest
    assert load_manifest(filled, "churn", first.manifest.id) == first.manifest
    loaded = load_training_set(filled, "churn", manifest_id=first.manifest.id).collect()
    assert_frame_equal(sorted_rows(loaded), sorted_rows(first.frame))
    one_day = load_training_set(filled, "churn", day(4), manifest_id=first.manifest.id)
    assert one_day.collect().height == 2
    newest = load_training_set(filled, "churn", manifest_id=second.manifest.id, as_="arrow")
    assert newest.count_rows() == second.frame.height
    with pytest.raises(NotComputedError, match="'churn' has no manifest 'nothing'"):
        load_training_set(filled, "churn", manifest_id="nothing")


def test_days_are_stale_until_built_from_the_values_that_their_rows_can_read(filled: OfflineStore) -> None:
    built = build_training_set(filled, service, SPINE)
    plan = built.manifest.plan
    assert stale_days(filled, plan, day(2), day(5)) == [day(2), day(3), day(4)]
    write_training_set(filled, plan.full_name, built, run_id="r")
    assert stale_days(filled, plan, day(2), day(6)) == [day(5)]

    def write_spend(number: int, pieces: int) -> None:
        rows = [(day(number), shopper_id, pieces + shopper_id) for shopper_id in (1, 2)]
        filled.values(ShopperSpend).write(spend_values(rows), day(number), day(number + 1), run_id="r")

    # Neither a later partition nor the same values once more are anything to these days.
    write_spend(6, 7)
    write_spend(2, 2)
    assert stale_days(filled, plan, day(2), day(5)) == []
    # As of day 3 it is read on day 3 from two o'clock on, and on day 4 until then.
    write_spend(2, 9)
    assert stale_days(filled, plan, day(2), day(5)) == [day(3), day(4)]
    newest = build_training_set(filled, service, spine_of(day(3)))
    write_training_set(filled, plan.full_name, newest, day(3), day(4), run_id="r")
    assert stale_days(filled, plan, day(2), day(5)) == [day(4)]
    other = replace(plan, outputs=plan.outputs[1:])
    assert stale_days(filled, other, day(2), day(5)) == [day(2), day(3), day(4)]


def test_a_day_without_rows_is_not_stale(filled: OfflineStore) -> None:
    built = build_training_set(filled, service, spine_of())
    plan = built.manifest.plan
    write_training_set(filled, plan.full_name, built, day(2), day(4), run_id="r")
    filled.values(ShopperSpend).write(spend_values([]), day(2), day(3), run_id="r")
    assert stale_days(filled, plan, day(2), day(4)) == []


def test_rows_that_read_older_values_than_a_view_promises_are_told(filled: OfflineStore) -> None:
    spend = FeatureService("spend", 1, "storekeepers", "Spend", [ShopperSpend["pieces_3d"]])
    fresh = build_training_set(filled, spend, spine_of(day(6, 3), day(8)))
    assert fresh.warnings == ()
    late = build_training_set(filled, spend, spine_of(day(8), day(8, 0.001), day(83)))
    assert late.warnings == (
        "shop/shopper_spend/v1: 2 of 3 rows read values as of up to 77 days, 0:00:00 before them; its freshness is 2d",
    )


def test_values_older_than_the_largest_age_are_expired_and_not_told(filled: OfflineStore) -> None:
    spend = FeatureService("spend", 1, "storekeepers", "Spend", [ShopperSpend["pieces_3d"]])
    spine = spine_of(day(8), day(8, 0.001), day(83))
    built = build_training_set(filled, spend, spine, max_age=timedelta(days=2), with_status=True)
    statuses = [Status(code).name for code in built.frame["shopper_spend__pieces_3d__status"]]
    assert statuses == ["PRESENT", "EXPIRED", "EXPIRED"]
    assert built.frame["shopper_spend__pieces_3d"].to_list()[1:] == [None, None]
    assert built.warnings == ()


def test_an_age_of_nothing_is_refused(filled: OfflineStore) -> None:
    with pytest.raises(InputError, match="max_age=0:00:00 keeps nothing"):
        build_training_set(filled, service, SPINE, max_age=timedelta(0))
