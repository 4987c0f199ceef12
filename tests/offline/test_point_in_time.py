"""The point-in-time join against a naive join in plain Python, on random worlds and on every boundary."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_store import FeatureService, col, feature_view, sum_
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.numpy.empty_values import empty_values
from feature_store.engines.polars.frames import read_frame
from feature_store.errors import FingerprintError, InputError, NotComputedError, VersionExpiredError
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables import open_table as reading
from feature_store.offline.tables.store import OfflineStore
from tests.offline.definitions import INSTANT, ShopperSpend, ShopperTown, day, purchases, service, shopper, spend_values
from tests.offline.pit_world import World, build_world, naive_join

SPINE_SCHEMA = {
    "label": pl.Int64,
    "time": INSTANT,
    "aisle": pl.String,
    "shopper_id": pl.Int64,
    "leader_id": pl.Int64,
    "follower_id": pl.Int64,
}


@pytest.fixture(scope="module", params=[1, 2])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(str(tmp_path_factory.mktemp("world")), request.param)


def boundaries(world: World) -> list[datetime]:
    """Return every instant at which an answer changes, and the instants just before and after."""
    instants = {day(0), day(30)}
    for partitions in world.partitions.values():
        for partition in partitions:
            instants |= {partition["promised"], partition["as_of"], partition["as_of"] + timedelta(hours=8)}
            instants |= {partition["published"]} - {None}
    tick = timedelta(microseconds=1)
    return sorted({at + delta for at in instants for delta in (-tick, timedelta(0), tick)})


def joined_and_expected(world: World, spine: pl.DataFrame, availability: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    result = point_in_time_join(
        world.store, world.plan, spine, "time", allow_missing=True, with_status=True, availability=availability
    )
    expected = naive_join(world, spine.to_dicts(), availability)
    added = {name: dtype for name, dtype in result.schema.items() if name not in spine.columns}
    return result, spine.hstack(pl.DataFrame(expected, schema=added))


ROW = st.tuples(
    st.integers(0, 1),
    st.integers(0, 10_000),
    st.sampled_from(["1", "11", "", "é", "unseen", None]),
    st.sampled_from([1, 11, -3, 99, None]),
    st.sampled_from([0, 1, 2, 3, 99, None]),
    st.sampled_from([0, 1, None]),
)


@settings(max_examples=15)
@given(rows=st.lists(ROW, max_size=25), availability=st.sampled_from(["promised", "actual"]), chunks=st.integers(1, 3))
def test_the_join_equals_the_naive_join(world: World, rows: list[tuple], availability: str, chunks: int) -> None:
    times = boundaries(world)
    records = [(label, times[at % len(times)], *keys) for label, at, *keys in rows]
    size = -(-len(records) // chunks) or 1
    parts = [records[at : at + size] for at in range(0, len(records), size)] or [[]]
    spine = pl.concat([pl.DataFrame(part, schema=SPINE_SCHEMA, orient="row") for part in parts], rechunk=False)
    result, expected = joined_and_expected(world, spine, availability)
    assert_frame_equal(result, expected)


@pytest.mark.parametrize("availability", ["promised", "actual"])
def test_the_join_equals_the_naive_join_at_every_boundary(world: World, availability: str) -> None:
    rng = random.Random(0)
    keys = (["1", "11", "é", None], [1, 11, 99], [0, 1, 2, None], [0, 1])
    records = [(n, at, *map(rng.choice, keys)) for n, at in enumerate(boundaries(world) * 2)]
    rng.shuffle(records)
    spine = pl.DataFrame(records, schema=SPINE_SCHEMA, orient="row")
    result, expected = joined_and_expected(world, spine, availability)
    assert_frame_equal(result, expected)
    seen = {status for name in result.columns if name.endswith("__status") for status in result[name].unique()}
    assert seen == {0, 1, 2, 3}


def test_outputs_come_after_the_spine_in_the_order_of_the_service(world: World) -> None:
    spine = pl.DataFrame([(1, day(9), "1", 1, 1, 1)], schema=SPINE_SCHEMA, orient="row")
    result = point_in_time_join(world.store, world.plan, spine, "time", allow_missing=True)
    outputs = ["leader__walkers__steps", "pairs__n", "called", "pairs__when", "pairs__x", "pairs__since", "pairs__hour"]
    assert result.columns == [*SPINE_SCHEMA, *outputs, "follower__walkers__steps"]


def test_an_empty_spine_gives_no_rows(world: World) -> None:
    spine = pl.DataFrame(schema=SPINE_SCHEMA)
    result = point_in_time_join(world.store, world.plan, spine, "time", with_status=True)
    assert result.height == 0
    assert result.schema["pairs__since"] == pl.Float64
    assert result.schema["pairs__n__status"] == pl.Int8
    assert result.schema["leader__walkers__as_of"] == INSTANT


SPEND = compile_plan(
    FeatureService("spend_model", 1, "storekeepers", "Spend", [ShopperSpend["pieces_3d", "last_basket"]])
)


def spine_of(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"shopper_id": pl.Int64, "time": INSTANT}, orient="row")


def written(store: OfflineStore, *days: int) -> OfflineStore:
    for number in days:
        store.values(ShopperSpend).write(
            spend_values([(day(number), 1, number)]), day(number), day(number + 1), run_id="r"
        )
    return store


def test_rows_without_a_partition_are_an_error_that_says_which(store: OfflineStore) -> None:
    written(store, 3)
    spine = spine_of((1, day(2)), (1, day(4, 2)), (1, day(5)))
    with pytest.raises(NotComputedError) as error:
        point_in_time_join(store, SPEND, spine, "time")
    assert f"shop/shopper_spend/v1: 2 rows from {day(2)} to {day(4, 2)}. Backfill" in str(error.value)
    result = point_in_time_join(store, SPEND, spine, "time", allow_missing=True)
    assert result["shopper_spend__pieces_3d"].to_list() == [None, None, 3]


def test_a_view_that_was_never_written_is_not_computed(store: OfflineStore) -> None:
    with pytest.raises(NotComputedError, match="1 rows"):
        point_in_time_join(store, SPEND, spine_of((1, day(2))), "time")
    result = point_in_time_join(store, SPEND, spine_of((1, day(2))), "time", allow_missing=True, with_status=True)
    assert result.row(0)[2:] == (None, None, 2, 2, None)


def test_an_empty_partition_is_not_a_missing_one(store: OfflineStore) -> None:
    store.values(ShopperSpend).write(spend_values([]), day(0), day(1), run_id="r")
    result = point_in_time_join(store, SPEND, spine_of((1, day(2))), "time", with_status=True)
    assert result.row(0)[2:] == (0, None, 1, 1, day(1))


def test_a_backfilled_partition_is_seen_as_if_it_had_been_on_time(store: OfflineStore) -> None:
    written(store, 5, 3)
    spine = spine_of((1, day(5)), (1, day(9)))
    assert point_in_time_join(store, SPEND, spine, "time")["shopper_spend__pieces_3d"].to_list() == [3, 5]


def publish(store: OfflineStore, as_of: datetime, at: datetime) -> None:
    values = store.values(ShopperSpend)
    version = values.delta_version()
    values.ledger.mark_published(as_of, at, generation=version, delta_version=version)


def test_each_publication_is_replayed_with_what_it_held(store: OfflineStore) -> None:
    for pieces, hour in ((3, 2), (99, 12)):
        store.values(ShopperSpend).write(spend_values([(day(3), 1, pieces)]), day(3), day(4), run_id="r")
        publish(store, day(4), day(4, hour))
    publish(store, day(4), day(4, 16))  # the same once more, into an emptied online store
    spine = spine_of(*[(1, day(4, hour)) for hour in (2, 6, 12, 13, 18)])
    result = point_in_time_join(store, SPEND, spine, "time", availability="actual", allow_missing=True)
    assert result["shopper_spend__pieces_3d"].to_list() == [None, 3, 3, 99, 99]
    promised = point_in_time_join(store, SPEND, spine, "time", allow_missing=True)
    assert promised["shopper_spend__pieces_3d"].to_list() == [None, 99, 99, 99, 99]


def test_what_was_served_so_long_ago_that_its_version_is_gone_is_an_error(
    store: OfflineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_each_publication_is_replayed_with_what_it_held(store)
    monkeypatch.setattr(reading, "RETENTION", timedelta(0))
    spine = spine_of((1, day(4, 6)))
    with pytest.raises(VersionExpiredError, match=r"values: version 2 was replaced at .* kept for 0 days"):
        point_in_time_join(store, SPEND, spine, "time", availability="actual")
    # What holds still is read from the newest version.
    later = point_in_time_join(store, SPEND, spine_of((1, day(4, 18))), "time", availability="actual")
    assert later["shopper_spend__pieces_3d"].to_list() == [99]


def changed_spend(**features):
    body = type("ShopperSpend", (), {"__doc__": "Changed.", **features})
    options = {"entity": shopper, "namespace": "shop", "version": 1, "owner": "storekeepers", "freshness": "2d"}
    return feature_view(**options, source=purchases, cadence="1d", available_after="2h")(body)


def plan_of(view):
    return compile_plan(FeatureService("changed", 1, "storekeepers", "Changed", [view.all()]))


def test_a_feature_computed_by_another_definition_is_an_error(store: OfflineStore) -> None:
    written(store, 3)
    other = changed_spend(pieces_3d=sum_(col("pieces"), over="4d", description="Changed in place"))
    with pytest.raises(FingerprintError, match=r"shop/shopper_spend/v1\.pieces_3d is stored as another definition"):
        point_in_time_join(store, plan_of(other), spine_of((1, day(5))), "time", allow_missing=True)
    # Where no row reads such a partition, nothing is wrong.
    result = point_in_time_join(store, plan_of(other), spine_of((1, day(2))), "time", allow_missing=True)
    assert result["shopper_spend__pieces_3d"].to_list() == [None]


def test_a_renamed_feature_keeps_its_data(store: OfflineStore) -> None:
    written(store, 3)
    pieces = sum_(col("pieces"), over="3d", description="Pieces", renamed_from="pieces_3d")
    renamed = changed_spend(pieces=pieces)
    frame = pl.DataFrame({"partition_start": [day(4)], "shopper_id": [1], "pieces": [44]}).cast(
        {"partition_start": INSTANT}
    )
    for name in set(ShopperSpend.fingerprints) - {"pieces_3d"}:
        store.values(renamed).drop_feature(name)
    store.values(renamed).write(frame, day(4), day(5), run_id="r")
    spine = spine_of((1, day(6)), (1, day(4, 3)), (2, day(6)))
    result = point_in_time_join(store, plan_of(renamed), spine, "time")
    assert result["shopper_spend__pieces"].to_list() == [44, 3, 0]


def test_a_feature_renamed_and_changed_at_once_is_an_error(store: OfflineStore) -> None:
    written(store, 3)
    changed = sum_(col("pieces"), over="4d", description="Pieces", renamed_from="pieces_3d")
    with pytest.raises(FingerprintError, match=r"pieces is renamed_from='pieces_3d', which is stored as another"):
        point_in_time_join(
            store, plan_of(changed_spend(pieces=changed)), spine_of((1, day(5))), "time", allow_missing=True
        )


@pytest.mark.parametrize(
    ("spine", "message"),
    [
        (spine_of((1, None)), "1 spine row has no 'time'"),
        (
            spine_of((1, day(5))).with_columns(pl.col("time").dt.replace_time_zone(None)),
            r"no time zone: state it, e\.g\.",
        ),
        (spine_of((1, day(5))).with_columns(pl.col("time").dt.date()), "'time' has type Date: make it"),
        (spine_of((1, day(5))).cast({"shopper_id": pl.Int32}), r"type Int32, but this key has type Int64: use pl\.col"),
        (spine_of((1, day(5))).cast({"shopper_id": pl.String}), r"\.cast\(pl\.Int64\)"),
        (spine_of((1, day(5))).drop("shopper_id"), "a key of spend_model/v1: add it; its columns are time"),
        (pl.DataFrame(), "no column 'shopper_id', a key of spend_model/v1: add it; it has no columns"),
        (spine_of((1, day(5))).rename({"time": "at"}), "no column 'time'"),
        (spine_of((1, day(5))).with_columns(shopper_spend__pieces_3d=1), "already has columns"),
        (spine_of((1, day(5))).with_columns(shopper_spend__as_of=1), "already has columns"),
    ],
)
def test_a_spine_that_cannot_be_used_is_refused(store: OfflineStore, spine: pl.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        point_in_time_join(written(store, 3), SPEND, spine, "time", with_status=True)


def test_times_in_another_zone_and_unit_are_the_same_instants(store: OfflineStore) -> None:
    written(store, 3, 4)
    zoned = [day(5, 2).astimezone(ZoneInfo("Asia/Tokyo")), (day(5, 2) + timedelta(milliseconds=1)).astimezone(UTC)]
    for unit in ("ms", "us", "ns"):
        spine = pl.DataFrame({"shopper_id": [1, 1], "time": [at.astimezone(UTC) for at in zoned]}).with_columns(
            pl.col("time").dt.convert_time_zone("Asia/Tokyo").cast(pl.Datetime(unit, "Asia/Tokyo"))
        )
        result = point_in_time_join(store, SPEND, spine, "time")
        assert result["shopper_spend__pieces_3d"].to_list() == [3, 4]
        assert_frame_equal(result.select(spine.columns), spine)


def test_duplicates_are_kept_with_their_own_labels(store: OfflineStore) -> None:
    written(store, 3)
    spine = spine_of(*[(1, day(5))] * 3, (2, day(5))).with_columns(label=pl.Series(["a", "b", "a", None]))
    result = point_in_time_join(store, SPEND, spine, "time")
    assert_frame_equal(result.select(spine.columns), spine)
    assert result["shopper_spend__pieces_3d"].to_list() == [3, 3, 3, 0]


@pytest.mark.parametrize("form", ["eager", "lazy", "arrow", "reader"])
def test_a_spine_can_come_in_any_form(form: str) -> None:
    spine = pl.concat([spine_of((1, day(5))), spine_of((2, day(4)))], rechunk=False)
    arrow = spine.to_arrow()
    forms = {"eager": spine, "lazy": spine.lazy(), "arrow": arrow, "reader": arrow.to_reader()}
    assert_frame_equal(read_frame(forms[form], "the spine"), spine)


def test_vectors_are_filled_with_zeros_where_empty(store: OfflineStore) -> None:
    values = pl.DataFrame(
        {"partition_start": [day(0)], "shopper_id": [1], "town": ["leeds"], "is_north": [[0.0, 1.0]]},
        schema={
            "partition_start": INSTANT,
            "shopper_id": pl.Int64,
            "town": pl.String,
            "is_north": pl.Array(pl.Float32, 2),
        },
    )
    store.values(ShopperTown).write(values, day(0), day(1), run_id="r")
    written(store, 0)
    plan = compile_plan(service)
    spine = spine_of((1, day(2)), (2, day(2)), (1, day(0)))
    result = point_in_time_join(store, plan, spine, "time", allow_missing=True)
    empty = empty_values(ShopperTown)["is_north"]
    assert result["shopper_town__is_north"].to_list() == [[0.0, 1.0], empty, None]
    assert result.schema["shopper_town__is_north"] == pl.Array(pl.Float32, 2)
