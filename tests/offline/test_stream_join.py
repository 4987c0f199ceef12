"""The point-in-time join of a stream view at any T, against counting the events themselves."""

from __future__ import annotations

import random
import re
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_store.errors import InputError, NotComputedError
from feature_store.offline.delta.instants import partition_starts
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables import stream_copy
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import build_training_set, stale_days, write_training_set
from feature_store.oracle.snapshots import derived_value, empty_values, float_scale, is_present
from feature_store.oracle.streams import stream_as_of, stream_values
from feature_store.status import Status
from feature_store.temporal.durations import DAY
from feature_store.temporal.instants import from_microseconds, to_microseconds
from tests.fixtures.frames import assert_value, at
from tests.fixtures.stream_views import Live, plan_of
from tests.offline.definitions import INSTANT
from tests.offline.stream_world import (
    DAYS,
    ENTITIES,
    World,
    batch_end,
    build_world,
    is_known,
    land,
    own_rows,
    stream,
    times_of_interest,
)

SPINE = {"label": pl.Int64, "time": INSTANT, "left": pl.String, "right": pl.String}


@pytest.fixture(scope="module", params=[1, 2])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("streams"), request.param)


@pytest.fixture
def own_world(world: World, tmp_path: Path) -> World:
    """A copy of the world that a test may change."""
    root = tmp_path / "copy"
    shutil.copytree(world.store.root, root)
    return replace(world, store=OfflineStore(str(root)), landed=set(world.landed), covered=list(world.covered))


def join(world: World, rows: list[tuple], **options) -> pl.DataFrame:
    spine = pl.DataFrame(rows, schema=SPINE, orient="row")
    options = {"allow_missing": True, "with_status": True, **options}
    return point_in_time_join(world.store, world.plan, spine, "time", **options)


def test_the_join_counts_the_events_at_every_time(world: World) -> None:
    rng = random.Random(3)
    times = times_of_interest(world)
    times = rng.sample(times, 350) + [at(days=rng.uniform(-1, DAYS + 1)) for _ in range(100)]
    keys = [*ENTITIES, ("1", None), ("1", "12")]
    rows = [(number, time, *rng.choice(keys)) for number, time in enumerate(times)]
    joined = join(world, rows)
    assert joined.select("label", "time", "left", "right").rows() == rows
    statuses = {status for row in joined.to_dicts() for status in check_row(world, row)}
    assert statuses == {Status.PRESENT, Status.EMPTY, Status.NOT_COMPUTED}


def check_row(world: World, row: dict) -> set[int]:
    """Assert one row of the join; return the statuses that were seen."""
    time, keys = row["time"], (row["left"], row["right"])
    if batch_end(world, time) is None:
        assert row["live__as_of"] is None
        assert all(row[f"live__{f.name}"] is None for f in Live.features)
        return {row[f"live__{f.name}__status"] for f in Live.features}
    as_of = stream_as_of(Live, time)
    assert row["live__as_of"] == as_of
    own = [] if None in keys else own_rows(world, keys)
    values, empty = stream_values(Live, own, time), empty_values(Live)
    assert own or values == empty
    present = Status.PRESENT if is_present(Live, own, as_of) else Status.EMPTY
    lacking = {
        f.name for f in Live.features if f.aggregation is not None and not is_known(world, f.aggregation.window, time)
    }
    for feature in Live.stored_features:
        value, status = row[f"live__{feature.name}"], row[f"live__{feature.name}__status"]
        if feature.kind == "derived" and lacking & set(feature.reads):
            lacking.add(feature.name)
        where = f"{feature.name} of {keys} at {time}"
        assert (status == Status.NOT_COMPUTED) == (feature.name in lacking), where
        if feature.name in lacking:
            assert value is None, where
            continue
        if not lacking:  # a hole may hide the only events of the longer windows
            assert status == present, where
        wanted = values[feature.name]
        if feature.kind == "derived":
            wanted = derived_value(Live, feature, {read: row[f"live__{read}"] for read in feature.reads})
        assert_value(value, wanted, feature.dtype, float_scale(Live, feature, own, as_of), where)
    seen = row["live__last_time"]
    assert row["live__days"] == (None if seen is None else (time - seen) / timedelta(days=1))
    return {row[f"live__{f.name}__status"] for f in Live.features}


def test_wrong_tiles_of_the_stream_count_only_from_the_end_of_the_batch_on(own_world: World) -> None:
    world = own_world
    key, end = ENTITIES[3], at(days=12)
    false = [{**world.rows[0], "left": key[0], "right": key[1], "time": end - timedelta(seconds=3)}]
    stream(world, false, at(days=10), at(days=13), sequence=9)
    # The day that ends at E becomes available at E + 2h: until then, and at that very instant, the stream owns it.
    times = [end + timedelta(hours=2), end + timedelta(hours=2, microseconds=1)]
    joined = join(world, [(0, time, *key) for time in times])
    assert joined["live__max_moment__status"].to_list() == [Status.PRESENT, Status.EMPTY]


def test_tiles_are_replaced_by_the_newest_write_and_writes_can_be_repeated(own_world: World) -> None:
    world = own_world
    row, time = {**world.rows[0], "left": "new", "right": ""}, at(days=DAYS - 1)
    span = (at(days=DAYS - 2), at(days=DAYS - 1, hours=1))
    spine = [(0, time + timedelta(seconds=30), "new", "")]
    one, two = ([{**row, "time": time + timedelta(seconds=second)} for second in range(n)] for n in (1, 2))
    assert stream(world, one, *span, sequence=10) > 0
    assert join(world, spine)["live__rows_15m"].to_list() == [1]
    assert stream(world, two, *span, sequence=11) > 0
    assert join(world, spine)["live__rows_15m"].to_list() == [2]
    assert stream(world, one, *span, sequence=10) == 0
    assert stream(world, two, *span, sequence=11) == 0
    assert join(world, spine)["live__rows_15m"].to_list() == [2]


def test_the_later_write_counts_whatever_the_clock_said(own_world: World) -> None:
    world = own_world
    row, time = {**world.rows[0], "left": "new", "right": ""}, at(days=DAYS - 1)
    span, spine = (at(days=DAYS - 2), at(days=DAYS - 1, hours=1)), [(0, time + timedelta(seconds=30), "new", "")]
    for sequence in (10, 11):
        rows = [{**row, "time": time + timedelta(seconds=second)} for second in range(sequence - 9)]
        assert stream(world, rows, *span, sequence=sequence) > 0
    log = Path(world.store.stream_copy(Live.full_name).uri) / "_delta_log"
    newest = max(log.glob("*.json"))
    newest.write_text(re.sub(r'"timestamp":\d+', '"timestamp":0', newest.read_text(), count=1))
    assert join(world, spine)["live__rows_15m"].to_list() == [2]


def test_a_copy_of_many_writes_stays_a_few_files_and_keeps_all_of_them(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = own_world
    monkeypatch.setattr(stream_copy, "_COMMITS_BETWEEN_UPKEEPS", 16)
    copy, span = world.store.stream_copy(Live.full_name), (at(days=DAYS - 2), at(days=DAYS - 1, hours=1))
    row, time = {**world.rows[0], "left": "new", "right": ""}, at(days=DAYS - 1)
    before = copy.open().writes.height
    files = len(copy.open().table.file_uris())
    for sequence in range(10, 40):
        assert stream(world, [{**row, "time": time}], *span, sequence=sequence) > 0
        assert stream(world, [], *span, sequence=sequence) == 0
    opened = copy.open()
    assert len(opened.table.file_uris()) < files + 16
    assert opened.writes.height == before + 30
    assert opened.writes["sequence"][-1] == 39
    assert join(world, [(0, time + timedelta(seconds=30), "new", "")])["live__rows_15m"].to_list() == [1]


def test_what_is_missing_is_named(world: World) -> None:
    rows = [(0, at(days=9.9), "1", "12"), (1, at(days=3), "1", "12")]
    with pytest.raises(
        NotComputedError, match=r"streams/live/v1.number_12d, .mean_number, .std_12d.*: 1 rows from 2024-01-13"
    ):
        join(world, rows, allow_missing=False)
    assert join(world, [rows[1]], allow_missing=False).height == 1


def test_actual_availability_goes_by_the_publication_of_the_tiles(own_world: World) -> None:
    world = own_world
    late = at(days=5, hours=9)
    tiles = world.store.tiles(Live)
    ledger, version = tiles.ledger, tiles.delta_version()
    ledger.mark_published(at(days=4), at(days=4, hours=3), generation=1, delta_version=version)
    ledger.mark_published(at(days=5), late, generation=2, delta_version=version)
    rows = [(0, time, "1", "12") for time in (at(days=4, hours=3), at(days=4, hours=3, microseconds=1), late)]
    joined = join(world, rows, availability="actual")
    assert joined["live__as_of"].is_null().to_list() == [True, False, False]


def test_a_correction_of_the_batch_changes_only_what_is_answered_from_later_publications(own_world: World) -> None:
    world = own_world
    tiles, key = world.store.tiles(Live), ENTITIES[3]

    def publish(generation: int, hour: int) -> None:
        at_hour = at(days=6, hours=hour)
        tiles.ledger.mark_published(at(days=6), at_hour, generation, delta_version=tiles.delta_version())

    publish(1, 2)
    world.rows.append({**world.rows[0], "left": key[0], "right": key[1], "time": at(days=5, hours=12), "value": 2.0})
    land(world, 5)
    publish(2, 9)
    rows = [(0, at(days=6, hours=hour), *key) for hour in (3, 9, 10)]
    assert join(world, rows, availability="actual")["live__last_value"].to_list() == [None, None, 2.0]
    assert join(world, rows)["live__last_value"].to_list() == [2.0, 2.0, 2.0]
    # Where nothing changed since, the newest version is read, whenever it was published.
    spine = [(n, time, *keys) for n, (time, keys) in enumerate(zip([at(days=6, hours=12)] * 4, ENTITIES, strict=True))]
    assert_frame_equal(join(world, spine, availability="actual"), join(world, spine))


def test_days_of_a_training_set_are_stale_once_their_tiles_or_the_stream_change(own_world: World) -> None:
    world, days = own_world, (at(days=DAYS - 9), at(days=DAYS - 3))
    times = [start + timedelta(hours=12) for start in partition_starts(*days, DAY)]
    rows = [(number, time, *ENTITIES[0]) for number, time in enumerate(times)]
    spine = pl.DataFrame(rows, schema=SPINE, orient="row")
    built = build_training_set(world.store, world.plan, spine, allow_missing=True)
    write_training_set(world.store, world.plan.full_name, built, run_id="r")

    def stale() -> list[int]:
        return [(day - at()).days for day in stale_days(world.store, world.plan, *days)]

    assert stale() == []
    stream(world, [], at(days=DAYS - 5), at(days=DAYS - 4), sequence=20)
    assert stale() == []
    land(world, DAYS - 7)
    assert stale() == []
    event = {**world.rows[0], "time": at(days=DAYS - 4, hours=1)}
    stream(world, [event], at(days=DAYS - 4), at(days=DAYS - 4, hours=2), sequence=21)
    assert stale() == [DAYS - 4]
    world.rows.append({**world.rows[0], "time": at(days=DAYS - 7, hours=1)})
    land(world, DAYS - 7)
    assert stale() == list(range(DAYS - 7, DAYS - 3))


def test_tiles_need_all_their_columns_and_a_span_that_does_not_end_before_it_starts(own_world: World) -> None:
    world = own_world
    copy = world.store.stream_copy(Live.full_name)
    with pytest.raises(InputError, match=r"columns .* are missing"):
        copy.append(pl.DataFrame(), plan_of(Live), writer="w", sequence=7, start=at(), end=at())
    with pytest.raises(InputError, match="ends before it starts"):
        stream(world, [], at(days=2), at(days=1), sequence=7)


def test_a_spine_much_longer_than_one_portion(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from feature_store.offline.join import stream_join

    rows = [(number, time, *ENTITIES[number % 4]) for number, time in enumerate(times_of_interest(world)[::7])]
    whole = join(world, rows)
    monkeypatch.setattr(stream_join, "_TILES_AT_ONCE", 50)
    assert join(world, rows).equals(whole)


def test_instants_are_told_from_the_newest_partition(world: World) -> None:
    joined = join(world, [(0, at(days=9, microseconds=123), "1", "12")])
    assert to_microseconds(joined["live__as_of"][0]) % 1_000_000 == 0
    assert from_microseconds(to_microseconds(joined["live__as_of"][0])) == at(days=9) - timedelta(seconds=5)
