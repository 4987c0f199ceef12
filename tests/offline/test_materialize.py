"""Computing from what landed: what is missing is an error, what was corrected changes exactly what it should."""

import json
import random
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from feature_store import EventSource, FeatureService, Int64, Status, Timestamp, col, derive, feature_view, ratio, sum_
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import MissingTilesError
from feature_store.model.views import FeatureView
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.materialize.reach import tiles_start
from feature_store.offline.materialize.stale import stale_partitions, stale_tiles
from feature_store.offline.tables.definitions import drop
from feature_store.offline.tables.store import OfflineStore
from tests.fixtures.computed_values import computed_values
from tests.fixtures.frames import at, frame
from tests.fixtures.stream_views import Live
from tests.fixtures.views import COLUMNS
from tests.offline.definitions import (
    INSTANT,
    START,
    ShopperEver,
    ShopperHourly,
    ShopperSpend,
    ShopperTown,
    addresses,
    day,
    purchase_rows,
    purchases,
    shopper,
)
from tests.offline.stream_world import random_row

DAYS = 12
END = day(DAYS)


def some_purchases(days: int = DAYS, seed: int = 0) -> pl.DataFrame:
    rng = random.Random(seed)
    rows = [
        (
            rng.randrange(5),
            day(0, rng.uniform(0, 24 * days)),
            f"b{rng.randrange(9)}",
            rng.uniform(0, 9),
            rng.randrange(9),
        )
        for _ in range(days * 8)
    ]
    return purchase_rows([(None, day(1, 3), "b", 1.0, 1), *rows])


def land(store: OfflineStore, rows: pl.DataFrame, start: datetime = START, end: datetime = END) -> None:
    inside = rows.filter(pl.col("bought_at").is_between(start, end, closed="left"))
    store.source(purchases.asset).write(inside, start, end, time_column="bought_at", run_id="land")


def materialize(store: OfflineStore, view: FeatureView, start: datetime, end: datetime) -> None:
    compute_values(store, view, start, end, "values")


@pytest.fixture
def landed(store: OfflineStore) -> OfflineStore:
    """Give a store with twelve days of purchases and the tiles of both daily views."""
    land(store, some_purchases())
    for view in (ShopperSpend, ShopperEver):
        compute_tiles(store, view, START, day(DAYS), "tiles")
    return store


def values_of(store: OfflineStore, view: FeatureView) -> pl.DataFrame:
    return store.values(view).scan().sort("partition_start", "shopper_id").collect()


def naive_pieces(rows: pl.DataFrame, as_of: datetime, over: timedelta | None) -> dict[int, int]:
    """Return pieces per shopper before an as-of; tails are whole hours or days here, as the windows' hops are."""
    pieces: dict[int, int] = {}
    for shopper_id, time, _basket, _amount, count in rows.iter_rows():
        if shopper_id is not None and time < as_of and (over is None or time >= as_of - over):
            pieces[shopper_id] = pieces.get(shopper_id, 0) + count
    return pieces


def test_values_are_those_of_a_naive_sum(landed: OfflineStore) -> None:
    materialize(landed, ShopperSpend, START, day(DAYS))
    materialize(landed, ShopperEver, START, day(DAYS))
    spend, ever = values_of(landed, ShopperSpend), values_of(landed, ShopperEver)
    for number in range(1, DAYS + 1):
        at = pl.col("as_of") == day(number)
        expected = naive_pieces(some_purchases(), day(number), timedelta(days=3))
        found = dict(spend.filter(at).select("shopper_id", "pieces_3d").iter_rows())
        assert {key: pieces for key, pieces in found.items() if key in expected or pieces} == expected
        history = naive_pieces(some_purchases(), day(number), None)
        assert dict(ever.filter(at).select("shopper_id", "pieces_ever").iter_rows()) == history


def test_rows_without_a_key_are_counted(store: OfflineStore) -> None:
    land(store, some_purchases())
    report = compute_tiles(store, ShopperSpend, START, day(4), "tiles")
    assert report.excluded == {day(1): 1}
    assert report.partitions == 4
    ledger = store.tiles(ShopperSpend).ledger.partitions()
    assert ledger["excluded"].to_list() == [0, 1, 0, 0]
    assert ledger["rows"].sum() == report.rows


def test_rows_without_a_time_are_counted(store: OfflineStore) -> None:
    rows = [(1, day(1), "x", 1.0, 1), (None, day(1), "x", 1.0, 1), (1, None, "x", 1.0, 1), (None, None, "y", 1.0, 1)]
    store.source(purchases.asset).write(purchase_rows(rows), START, END, time_column="bought_at", run_id="land")
    report = compute_tiles(store, ShopperSpend, START, day(4), "tiles")
    assert (report.without_time, report.excluded) == (2, {day(1): 1})


@pytest.mark.parametrize("view", [ShopperSpend, ShopperEver])
def test_a_range_equals_its_partitions_in_any_order(landed: OfflineStore, tmp_path, view: FeatureView) -> None:
    singly = OfflineStore(str(tmp_path / "singly"))
    for number in random.Random(1).sample(range(DAYS), DAYS):
        land(singly, some_purchases(), day(number), day(number + 1))
    for number in random.Random(2).sample(range(DAYS), DAYS):
        compute_tiles(singly, view, day(number), day(number + 1), "tiles")
    for number in random.Random(3).sample(range(DAYS), DAYS):
        materialize(singly, view, day(number), day(number + 1))
    materialize(landed, view, START, day(DAYS))
    assert_frame_equal(values_of(singly, view), values_of(landed, view))
    columns = ["partition_start", "available_at", "rows", "fingerprints", "content_hash", "inputs_hash"]
    for table in ("tiles", "values"):
        one, other = (getattr(s, table)(view).ledger.partitions().select(columns) for s in (singly, landed))
        assert_frame_equal(one, other)


def test_nothing_is_computed_from_tiles_or_rows_that_have_not_landed(store: OfflineStore) -> None:
    rows = some_purchases()
    land(store, rows, START, day(4))
    land(store, rows, day(5), day(DAYS))
    with pytest.raises(MissingTilesError, match=r"rows of raw/shop_purchases of \[2024-01-05 .*, 2024-01-06"):
        compute_tiles(store, ShopperSpend, day(3), day(6), "tiles")
    compute_tiles(store, ShopperSpend, START, day(4), "tiles")
    compute_tiles(store, ShopperSpend, day(5), day(DAYS), "tiles")
    computed_values(store, ShopperSpend, START, day(4))
    with pytest.raises(MissingTilesError, match=r"shop/shopper_spend/v1: computing values .* \[2024-01-05"):
        computed_values(store, ShopperSpend, day(8), day(9))
    # Five days before this as-of the hole is out of reach.
    computed_values(store, ShopperSpend, day(9), day(DAYS))
    assert stale_partitions(store, ShopperSpend, START, day(2)) == [day(0), day(1)]


def test_windows_of_a_truncated_source_may_not_reach_before_its_start(store: OfflineStore) -> None:
    columns = {"shopper_id": Int64, "at": Timestamp, "pieces": Int64}
    cut = EventSource("cut", "raw/cut", "at", columns, START, "Cut off", truncated=True)
    options = {"namespace": "shop", "version": 1, "owner": "storekeepers", "freshness": "2d", "cadence": "1d"}
    body = type("Cut", (), {"__doc__": "Cut.", "pieces": sum_(col("pieces"), over="3d", description="Pieces")})
    view = feature_view(**options, entity=shopper, source=cut, start=day(4))(body)
    rows = pl.DataFrame({"shopper_id": [1], "at": [day(1)], "pieces": [5]}).cast({"at": INSTANT})
    store.source(cut.asset).write(rows, START, day(6), time_column="at", run_id="land")
    assert tiles_start(view) == day(2)
    compute_tiles(store, view, day(2), day(6), "tiles")
    assert computed_values(store, view, day(4), day(6)).frame.height == 0
    with pytest.raises(MissingTilesError, match="needs tiles of shop/cut/v1"):
        computed_values(store, view, START, day(1))


def test_a_corrected_day_changes_exactly_the_windows_that_reach_it(landed: OfflineStore) -> None:
    materialize(landed, ShopperSpend, START, day(DAYS))
    assert stale_partitions(landed, ShopperSpend, START, day(DAYS)) == []
    before = landed.values(ShopperSpend).ledger.partitions()
    corrected = pl.concat([some_purchases(), purchase_rows([(3, day(4, 5), "late", 2.5, 100)])])
    land(landed, corrected, day(4), day(5))
    assert stale_tiles(landed, ShopperSpend, START, day(DAYS)) == [day(4)]
    assert stale_partitions(landed, ShopperSpend, START, day(DAYS)) == []
    compute_tiles(landed, ShopperSpend, day(4), day(5), "tiles")
    assert stale_tiles(landed, ShopperSpend, START, day(DAYS)) == []
    # The longest window is five days: as-ofs from the end of day 4 to the end of day 8.
    assert stale_partitions(landed, ShopperSpend, START, day(DAYS)) == [day(n) for n in range(4, 9)]
    materialize(landed, ShopperSpend, day(4), day(9))
    assert stale_partitions(landed, ShopperSpend, START, day(DAYS)) == []
    after = landed.values(ShopperSpend).ledger.partitions()
    changed = after.filter(after["content_hash"] != before["content_hash"])["partition_start"].to_list()
    assert changed == [day(n) for n in range(4, 9)]
    assert after["available_at"].equals(before["available_at"])


def test_landing_the_same_rows_again_changes_nothing(landed: OfflineStore) -> None:
    materialize(landed, ShopperSpend, START, day(DAYS))
    land(landed, some_purchases().sample(fraction=1.0, shuffle=True, seed=5))
    assert stale_tiles(landed, ShopperSpend, START, day(DAYS)) == []
    compute_tiles(landed, ShopperSpend, START, day(DAYS), "again")
    assert stale_partitions(landed, ShopperSpend, START, day(DAYS)) == []


def test_state_is_carried_from_checkpoints_and_an_old_correction_is_not_missed(store: OfflineStore, tmp_path) -> None:
    days = 70
    rows = some_purchases(days, seed=9)
    land(store, rows, START, day(days))
    compute_tiles(store, ShopperEver, START, day(days), "tiles")
    materialize(store, ShopperEver, day(days - 2), day(days))
    checkpoints = store.state(ShopperEver).ledger.partitions()
    assert checkpoints.height >= 2
    correct = naive_pieces(rows, day(days), None)
    newest = values_of(store, ShopperEver).filter(pl.col("as_of") == day(days))
    assert dict(newest.select("shopper_id", "pieces_ever").iter_rows()) == correct

    corrected = pl.concat([rows, purchase_rows([(3, day(4, 5), "late", 2.5, 1000)])])
    land(store, corrected, day(4), day(5))
    compute_tiles(store, ShopperEver, day(4), day(5), "tiles")
    assert stale_partitions(store, ShopperEver, day(days - 2), day(days)) == [day(days - 2), day(days - 1)]
    materialize(store, ShopperEver, day(days - 1), day(days))
    newest = values_of(store, ShopperEver).filter(pl.col("as_of") == day(days))
    assert dict(newest.select("shopper_id", "pieces_ever").iter_rows()) == {**correct, 3: correct[3] + 1000}

    fresh = OfflineStore(str(tmp_path / "fresh"))
    land(fresh, corrected, START, day(days))
    compute_tiles(fresh, ShopperEver, START, day(days), "tiles")
    materialize(fresh, ShopperEver, day(days - 1), day(days))
    states = [
        s.state(ShopperEver).ledger.partitions().select("as_of", "content_hash", "inputs_hash") for s in (store, fresh)
    ]
    assert_frame_equal(*states)
    hashes = [s.values(ShopperEver).ledger.partition(day(days))["content_hash"] for s in (store, fresh)]
    assert hashes[0] == hashes[1]


def test_old_tiles_are_not_read_when_a_checkpoint_holds_them(store: OfflineStore) -> None:
    days = 65
    land(store, some_purchases(days), START, day(days))
    compute_tiles(store, ShopperEver, START, day(days), "tiles")
    materialize(store, ShopperEver, day(days - 2), day(days - 1))
    expected = computed_values(store, ShopperEver, day(days - 1), day(days)).frame
    newest: datetime = store.state(ShopperEver).ledger.partitions()["as_of"][-1]
    for path in Path(store.tiles(ShopperEver).uri).glob("day=*/*.parquet"):
        if path.parent.name < f"day={newest.date()}":
            path.unlink()
    assert_frame_equal(computed_values(store, ShopperEver, day(days - 1), day(days)).frame, expected)


def test_an_hourly_view_is_built_from_days_of_rows(store: OfflineStore) -> None:
    rows = some_purchases(2, seed=4)
    land(store, rows, START, day(2))
    compute_tiles(store, ShopperHourly, day(0, 5), day(1, 12), "tiles")
    assert stale_tiles(store, ShopperHourly, day(0, 5), day(1, 12)) == []
    materialize(store, ShopperHourly, day(0, 11), day(1, 12))
    found = values_of(store, ShopperHourly)
    for hour in (12, 24, 30, 36):
        as_of = day(0, hour)
        inside = rows.filter(pl.col("bought_at").is_between(as_of - timedelta(hours=6), as_of, closed="left"))
        counts = inside.drop_nulls("shopper_id").group_by("shopper_id").len().sort("shopper_id")
        at = found.filter(pl.col("as_of") == as_of).select("shopper_id", "purchases_6h")
        assert at.rows() == counts.rows()


def test_a_table_view_takes_the_latest_row_and_sees_its_corrections(store: OfflineStore) -> None:
    def land_addresses(rows: list[tuple[int, datetime, str]], start: datetime, end: datetime) -> None:
        schema = {"shopper_id": pl.Int64, "moved_at": INSTANT, "town": pl.String}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        store.source(addresses.asset).write(frame, start, end, time_column="moved_at", run_id="land")

    land_addresses([(1, day(0), "york"), (2, day(1), "leeds"), (1, day(2), "bath")], START, day(4))
    materialize(store, ShopperTown, START, day(4))
    towns = values_of(store, ShopperTown).select("as_of", "shopper_id", "town").rows()
    assert towns == [
        (day(1), 1, "york"),
        (day(2), 1, "york"),
        (day(2), 2, "leeds"),
        (day(3), 1, "bath"),
        (day(3), 2, "leeds"),
        (day(4), 1, "bath"),
        (day(4), 2, "leeds"),
    ]
    land_addresses([(2, day(1), "hull")], day(1), day(2))
    assert stale_partitions(store, ShopperTown, START, day(4)) == [day(1), day(2), day(3)]
    with pytest.raises(MissingTilesError, match="rows of raw/shop_addresses"):
        computed_values(store, ShopperTown, day(4), day(5))


def test_values_report_their_progress(landed: OfflineStore) -> None:
    seen: list[tuple[int, int]] = []
    compute_values(landed, ShopperSpend, day(1), day(4), "values", progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


GROWING = {"namespace": "shop", "version": 1, "owner": "storekeepers", "freshness": "2d", "cadence": "1d"}
PIECES_3D = sum_(col("pieces"), over="3d", description="What the view had at first")


def growing(**added) -> FeatureView:
    """A view as it was at first, or with features that were added later."""
    body = type("ShopperSpend", (), {"__doc__": "Growing.", "pieces_3d": PIECES_3D, **added})
    return feature_view(**GROWING, entity=shopper, source=purchases)(body)


def day_by_day(store: OfflineStore, view: FeatureView, first: int, last: int) -> None:
    for number in range(first, last):
        compute_tiles(store, view, day(number), day(number + 1), "tiles")
        materialize(store, view, day(number), day(number + 1))


def held(store: OfflineStore, view: FeatureView) -> list[list[str]]:
    return [sorted(json.loads(text)) for text in store.values(view).ledger.partitions()["fingerprints"]]


@pytest.mark.parametrize("over", ["2d", "6h", None], ids=["its window", "of a smaller hop", "all history"])
def test_a_feature_added_in_place_waits_for_its_tiles_and_no_other_feature_for_it(
    store: OfflineStore, tmp_path, over: str | None
) -> None:
    land(store, some_purchases())
    day_by_day(store, growing(), 0, 8)
    window = {} if over is None else {"over": over}
    later = sum_(col("pieces") * 2, **window, description="Added later")
    view = growing(later=later, share=ratio(later, PIECES_3D, description="Derived from it"))
    compute_tiles(store, view, day(8), day(9), "tiles")
    computed = computed_values(store, view, day(8), day(9))
    # Only the window of six hours reaches nothing but the day of which there are tiles.
    lacks = set() if over == "6h" else {"later", "share"}
    assert computed.lacking == ({day(8): lacks} if lacks else {})
    if lacks:
        (warning,) = computed.warnings
        first = day(0) if over is None else day(7)
        assert f"shopper_spend/v1: later left out: tiles of [{first}, {day(8)}) were built before they" in warning
        assert computed.frame.select("later", "share").null_count().row(0) == (computed.frame.height,) * 2
    compute_values(store, view, day(8), day(9), "values")
    assert held(store, view)[7:] == [["pieces_3d"], sorted({"pieces_3d", "later", "share"} - lacks)]
    spine = pl.DataFrame({"shopper_id": [1], "time": [day(9, 5)]}).cast({"time": INSTANT})
    plan = compile_plan(FeatureService("growing", 1, "storekeepers", "All", [view.all()]))
    row = point_in_time_join(store, plan, spine, "time", allow_missing=True, with_status=True).row(0, named=True)
    statuses = [row[f"shopper_spend__{name}__status"] for name in ("pieces_3d", "later")]
    assert statuses == [Status.PRESENT, Status.NOT_COMPUTED if lacks else Status.PRESENT]
    # Until its tiles are built there is nothing to do; then it is as if it had always been there.
    assert stale_partitions(store, view, START, day(9)) == []
    compute_tiles(store, view, START, day(9), "again")
    assert stale_partitions(store, view, START, day(9)) == [day(n) for n in range(9)]
    materialize(store, view, START, day(9))
    assert stale_partitions(store, view, START, day(9)) == []
    fresh = OfflineStore(str(tmp_path / "fresh"))
    land(fresh, some_purchases())
    compute_tiles(fresh, view, START, day(9), "tiles")
    materialize(fresh, view, START, day(9))
    assert_frame_equal(values_of(store, view), values_of(fresh, view).select(values_of(store, view).columns))


def test_a_derived_feature_added_in_place_makes_all_partitions_stale_though_the_tiles_are_the_same(
    store: OfflineStore,
) -> None:
    land(store, some_purchases())
    day_by_day(store, growing(), 0, 3)
    assert stale_partitions(store, growing(), START, day(3)) == []
    view = growing(double=derive(PIECES_3D * 2, description="Derived from it"))
    assert stale_partitions(store, view, START, day(3)) == [day(n) for n in range(3)]
    materialize(store, view, START, day(3))
    assert stale_partitions(store, view, START, day(3)) == []
    assert values_of(store, view).filter(pl.col("double") != 2 * pl.col("pieces_3d")).is_empty()


def test_a_range_over_the_day_on_which_a_feature_came_has_it_where_its_tiles_are(store: OfflineStore) -> None:
    land(store, some_purchases())
    later = sum_(col("pieces") * 2, over="2d", description="Added later")
    compute_tiles(store, growing(), START, day(6), "tiles")
    view = growing(later=later)
    compute_tiles(store, view, day(6), day(10), "tiles")
    computed = computed_values(store, view, day(3), day(10))
    assert computed.lacking == {day(n): {"later"} for n in range(3, 7)}
    whole = OfflineStore(f"{store.root}/whole")
    land(whole, some_purchases())
    compute_tiles(whole, view, START, day(10), "tiles")
    expected = computed_values(whole, view, day(3), day(10)).frame.with_columns(
        pl.when(pl.col("partition_start") >= day(7)).then("later")
    )
    assert_frame_equal(computed.frame, expected)


def test_a_stream_view_is_computed_without_the_features_whose_levels_its_tiles_lack(store: OfflineStore) -> None:
    rng = random.Random(5)
    rows = [random_row(rng, at(hours=rng.uniform(0, 96))) for _ in range(60)]
    store.source(Live.source.asset).write(frame(rows, COLUMNS), at(), at(days=4), time_column="time", run_id="land")
    minutes = {"rows_15m", "first_value"}
    before = replace(Live, features=tuple(feature for feature in Live.features if feature.name not in minutes))
    compute_tiles(store, before, at(), at(days=2), "tiles")
    compute_tiles(store, Live, at(days=2), at(days=4), "tiles")
    computed = computed_values(store, Live, at(days=1), at(days=4))
    assert computed.lacking == {at(days=1): minutes}
    compute_tiles(store, Live, at(), at(days=4), "tiles")
    whole = computed_values(store, Live, at(days=1), at(days=4)).frame
    kept = [name for name in whole.columns if name not in minutes]
    assert_frame_equal(computed.frame.select(kept), whole.select(kept))


def test_without_any_feature_that_its_tiles_hold_nothing_is_computed(landed: OfflineStore) -> None:
    def only(feature) -> FeatureView:
        body = type("ShopperSpend", (), {"__doc__": "Changed.", "new": feature})
        return feature_view(**GROWING, entity=shopper, source=purchases)(body)

    known = only(sum_(col("pieces"), over="2d", description="A known state over another window"))
    assert computed_values(landed, known, day(5), day(6)).lacking == {}
    unknown = only(sum_(col("amount") * 2, over="3d", description="A state that the tiles lack"))
    match = r"none of its features .* shop/shopper_spend/v1: new left out: tiles of \[2024-01-04 .*, 2024-01-07 "
    with pytest.raises(MissingTilesError, match=match):
        computed_values(landed, unknown, day(5), day(6))
    assert stale_partitions(landed, unknown, day(5), day(6)) == [day(5)]
    for feature in ShopperSpend.stored_features:
        drop(DeltaTable(landed.tiles(ShopperSpend).uri), ShopperSpend.full_name, feature.name, {})
    compute_tiles(landed, unknown, day(3), day(6), "tiles")
    computed_values(landed, unknown, day(5), day(6))
