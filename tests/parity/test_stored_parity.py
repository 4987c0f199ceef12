"""What both stores hold against values recomputed from raw rows: equal as they are, and planted differences found."""

import dataclasses
import shutil
from datetime import UTC, datetime

import polars as pl
import pytest

from feature_assets.parity.sampling import Sample
from feature_assets.parity.stored import check_stored
from feature_assets.project import load_declarations
from feature_store import FeatureView, Status
from feature_store.offline.materialize.materialize import compute_values
from feature_store.offline.tables.store import OfflineStore
from tests.demo.row_corruption import one_value_changed
from tests.fixtures.small_store import SmallStore

NOW = datetime(2018, 1, 2, 6, tzinfo=UTC)
VIEWS = load_declarations().views
SPEND = VIEWS["retail/household_spend/v1"]
PROFILE = VIEWS["retail/household_profile/v1"]
MANY = Sample(entities=12, instants=1)


@pytest.fixture
def offline(small_store: SmallStore, tmp_path) -> OfflineStore:
    """A copy that a test may write to; the online store is not told."""
    shutil.copytree(small_store.offline.root, tmp_path / "offline")
    return OfflineStore(str(tmp_path / "offline"))


def url(store: SmallStore) -> str:
    return store.environment["FEATURES_ONLINE_URL"]


def rewrite(offline: OfflineStore, view: FeatureView, *changed: pl.Expr, keep: pl.Expr | None = None) -> None:
    """Write the newest partition of a view again, changed, as if it had been computed so."""
    table = offline.values(view)
    opened = table.open()
    rows = table.scan(opened.partitions["partition_start"][-1]).collect().with_columns(*changed)
    kept = rows if keep is None else rows.filter(keep)
    newest = opened.partitions.row(-1, named=True)
    start = newest["partition_start"]
    table.write(kept, start, newest["as_of"], run_id="planted", inputs_hash={start: newest["inputs_hash"]})


def differences(parity) -> set[tuple]:
    return {(c.place.path, *c.place.keys.values(), c.feature) for c in parity.different}


# Windows, all history, two kinds of table, a key of two columns, hours.
KINDS = [
    SPEND,
    VIEWS["retail/household_lifetime/v1"],
    PROFILE,
    VIEWS["retail/household_campaign/v1"],
    VIEWS["retail/household_department/v1"],
    VIEWS["retail/store_pulse/v1"],
]


@pytest.mark.parametrize("view", KINDS, ids=lambda view: view.name)
def test_both_stores_hold_what_is_recomputed(small_store, view):
    parity = check_stored(small_store.offline, view, url(small_store), NOW, Sample(entities=4, instants=2))
    assert parity.is_sound, str(parity)
    paths = parity.paths()
    assert set(paths) == {"offline", "online", "online = offline"}
    assert paths["offline"] > paths["online"] == paths["online = offline"] >= 4
    assert {t.feature for t in parity.tallies()} == {feature.name for feature in view.features}


def one_of(store: SmallStore) -> int:
    """A household of the sample that the newest partition of spend holds."""
    parity = check_stored(store.offline, SPEND, None, NOW, MANY)
    return next(c.place.keys["household_id"] for c in parity.values if c.found.status == Status.PRESENT)


def test_the_sample_is_another_one_with_another_seed(small_store):
    def keys(seed: int) -> set[tuple]:
        sample = Sample(entities=3, instants=1, seed=seed)
        parity = check_stored(small_store.offline, SPEND, None, NOW, sample)
        return {(c.place.at, *c.place.keys.values()) for c in parity.values}

    assert keys(1) == keys(1) != keys(2)


def test_a_value_that_changed_offline_is_found(small_store, offline):
    household = one_of(small_store)
    planted = pl.when(pl.col("household_id") == household).then(pl.col("units_30d") + 2).otherwise(pl.col("units_30d"))
    rewrite(offline, SPEND, planted.alias("units_30d"))
    parity = check_stored(offline, SPEND, url(small_store), NOW, MANY)
    assert differences(parity) == {("offline", household, "units_30d")}
    (note,) = parity.notes
    assert "is not compared online: it was written anew and is to be loaded" in note
    (offending,) = [c for c in parity.different if c.place.path == "offline"]
    assert offending.found.value == offending.expected.value + 2
    assert f"| units_30d | offline | {offending.expected} | {offending.found} | 2 |" in parity.difference_table()
    (tally,) = [t for t in parity.tallies() if (t.path, t.feature) == ("offline", "units_30d")]
    assert (tally.different, tally.largest) == (1, 2.0)


def test_a_value_that_changed_online_is_found(small_store):
    household = one_of(small_store)
    with one_value_changed(url(small_store), SPEND.full_name, household, NOW):
        parity = check_stored(small_store.offline, SPEND, url(small_store), NOW, MANY)
    assert {where[:2] for where in differences(parity)} == {("online", household), ("online = offline", household)}
    assert "| online |" in parity.difference_table()
    assert check_stored(small_store.offline, SPEND, url(small_store), NOW, MANY).is_sound


def test_entities_that_went_away_offline_are_found(offline):
    rewrite(offline, SPEND, pl.all(), keep=pl.col("household_id") > 950)
    parity = check_stored(offline, SPEND, None, NOW, MANY)
    assert {household <= 950 for _path, household, _feature in differences(parity)} == {True}
    assert {str(c.found) for c in parity.different if c.feature == "units_30d"} == {"0 (EMPTY)"}
    assert {feature for _path, _keys, feature in differences(parity)} == {f.name for f in SPEND.stored_features}


def test_a_tile_that_holds_too_much_is_found(offline):
    """The engine is asked to compute from a tile that is wrong, and stores what comes of it."""
    tiles, opened = offline.tiles(SPEND), offline.tiles(SPEND).open()
    last = opened.partitions.filter(pl.col("rows") > 0).row(-1, named=True)
    start = last["partition_start"]
    frame = opened.scan(opened.partitions.filter(pl.col("partition_start") == start)).collect()
    (total,) = [c for c in SPEND.feature("units_30d").aggregation.state_columns() if c.startswith("sum_")]
    (rows,) = [c for c in SPEND.feature("units_30d").aggregation.state_columns() if c.startswith("n_")]
    wrong = frame.with_columns(pl.when(pl.col(rows) > 0).then(pl.col(total) * 2).otherwise(pl.col(total)).alias(total))
    same_inputs = {start: last["inputs_hash"]}
    tiles.write(wrong, start, last["as_of"], run_id="planted", inputs_hash=same_inputs)
    newest = offline.values(SPEND).ledger.partitions().row(-1, named=True)
    span = newest["partition_start"], newest["as_of"]
    compute_values(offline, SPEND, *span, "planted")
    parity = check_stored(offline, SPEND, None, NOW, MANY)
    assert {feature for _path, _keys, feature in differences(parity)} == {"units_30d"}


def test_a_field_of_a_table_that_changed_is_found(offline):
    planted = pl.when(pl.col("marital_status") == "Married").then(pl.lit("Unmarried")).otherwise("marital_status")
    rewrite(offline, PROFILE, planted.alias("marital_status"))
    parity = check_stored(offline, PROFILE, None, NOW, MANY)
    assert {feature for _path, _keys, feature in differences(parity)} == {"marital_status"}
    assert "| marital_status | offline | Married | Unmarried | - |" in parity.difference_table()


def test_long_lists_of_differences_are_cut(offline):
    rewrite(offline, SPEND, pl.col("units_30d") + 1, pl.col("unit_price_std_90d") + 1)
    parity = check_stored(offline, SPEND, None, NOW, MANY)
    assert len(parity.different) > 20
    assert parity.difference_table().splitlines()[-1] == f"and {len(parity.different) - 20} more"


def test_partitions_whose_inputs_changed_since_are_left_out(offline):
    source = offline.source("raw/transactions")
    newest = source.ledger.partitions().filter(pl.col("rows") > 0).row(-1, named=True)
    start, end = newest["partition_start"], newest["as_of"]
    rows = source.scan(start, end).collect().drop("partition_start").head(-1)
    source.write(rows, start, end, time_column="purchased_at", run_id="corrected")
    parity = check_stored(offline, SPEND, None, NOW)
    assert not parity.different
    assert any("their inputs changed since they were computed" in note for note in parity.notes)


def test_a_store_without_values_is_a_problem_and_no_success(tmp_path):
    parity = check_stored(OfflineStore(str(tmp_path / "nothing")), SPEND, None, NOW)
    assert not parity.is_sound
    assert parity.problems == ("nothing to compare: no partition is available and up to date",)


def test_an_online_store_that_does_not_answer_is_a_problem(small_store):
    parity = check_stored(small_store.offline, SPEND, "redis://127.0.0.1:1/0", NOW, Sample(instants=1))
    assert not parity.is_sound
    assert not parity.different
    assert "the online store cannot be read" in parity.problems[0]
    assert parity.paths().keys() == {"offline"}


def test_values_that_another_definition_loaded_online_are_a_problem(small_store):
    feature = dataclasses.replace(SPEND.features[0], fingerprint="0" * 16)
    changed = dataclasses.replace(SPEND, features=(feature, *SPEND.features[1:]))
    parity = check_stored(small_store.offline, changed, url(small_store), NOW, Sample(instants=1))
    assert not parity.is_sound


def test_entities_with_too_many_rows_are_left_out_and_counted(small_store):
    parity = check_stored(small_store.offline, SPEND, None, NOW, Sample(instants=1, rows=1))
    assert not parity.different
    assert any("entities left out: they have too many of the 1 rows" in note for note in parity.notes)
