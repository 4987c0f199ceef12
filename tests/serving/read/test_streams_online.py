"""Stream views online: batch tiles and stream tiles of each entity, merged relative to T."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from feature_store.errors import NotComputedError
from tests.fixtures.frames import at
from tests.fixtures.stream_views import Sparse
from tests.serving.streams.world import KEYS, OnlineWorld, event, events, random_events

HOURS = timedelta(hours=1)


@pytest.fixture
def world(tmp_path: Path, valkey: str) -> OnlineWorld:
    return OnlineWorld(tmp_path, valkey)


@pytest.mark.parametrize("seed", range(2))
def test_what_is_served_at_t_is_what_counting_the_events_gives(world: OnlineWorld, seed: int) -> None:
    rng = random.Random(seed)
    world.rows = random_events(rng, 150, 17.5)
    world.land(0, 15)
    world.sync(at(days=16))
    writer = world.writer(at(days=13), copy=True)
    shuffled = [row for row in world.rows if row["time"] >= at(days=13)]
    rng.shuffle(shuffled)
    edges = sorted(rng.choices(range(len(shuffled)), k=2))
    for first, last in zip([0, *edges], [*edges, len(shuffled)], strict=True):
        if first < last:
            world.append(writer, shuffled[first:last])
    times = [at(days=rng.uniform(15.1, 19)) for _ in range(8)]
    times += [row["time"] + step for row in rng.sample(shuffled, 2) for step in (5 * HOURS, timedelta(seconds=6))]
    for time in (time for time in times if time > at(days=15, hours=2)):
        world.check(KEYS, time)


def test_what_is_served_is_the_point_in_time_join_bit_for_bit(world: OnlineWorld) -> None:
    rng = random.Random(5)
    world.rows = random_events(rng, 200, 17.5)
    world.land(0, 15)
    world.sync(at(days=16))
    writer = world.writer(at(days=13), copy=True)
    arriving = sorted((row for row in world.rows if row["time"] >= at(days=13)), key=lambda row: row["time"])
    for start in range(0, len(arriving), 15):
        world.append(writer, arriving[start : start + 15])
    writer.append(events([]), until=at(days=20))
    times = [at(days=15, hours=3), at(days=16.7), at(days=17.5), at(days=18)]
    for time in [*times, *(at(days=rng.uniform(15.1, 19)) for _ in range(4))]:
        world.check_equals_join([*KEYS, ("1", None)], time)


def test_values_fall_as_events_leave_the_window_though_nothing_arrives(world: OnlineWorld) -> None:
    world.land(0, 5)
    world.sync(at(days=6))
    writer = world.writer(at(days=5))
    world.append(writer, [event(at(days=6, hours=12)), event(at(days=6, hours=12.25))])
    lag = timedelta(seconds=5)
    seen = [world.value("rows_15m", at(days=6, hours=12.25) + lag + step)[0] for step in MINUTES]
    assert seen == [1, 2, 2, 1, 1, 0]
    assert world.value("rows_15m", at(days=7))[0] == 0
    assert world.value("rows_15m", at(days=30)) == (0, "EMPTY")


MINUTES = [
    timedelta(0),
    timedelta(seconds=1),
    timedelta(seconds=59),
    timedelta(minutes=1, seconds=1),
    timedelta(minutes=15, seconds=59),
    timedelta(minutes=16),
]


def test_an_hourly_view_of_whole_numbers_without_a_lag(tmp_path: Path, valkey: str) -> None:
    world = OnlineWorld(tmp_path, valkey, Sparse)
    keys = [(number,) for number in (1, 2, -3, 7)]
    rng = random.Random(2)
    world.rows = [row for row in random_events(rng, 200, 1) if row["number"] is not None]
    world.land(0, 0.5)
    world.sync(at(days=0.5, hours=0.5))
    writer = world.writer(at(days=0.5))
    world.append(writer, [row for row in world.rows if row["time"] >= at(days=0.5)])
    for hours in (0.2, 1, 3.77, 11.5, 12, 14):
        world.check(keys, at(days=0.5, hours=hours))


def test_batch_tiles_own_the_time_before_their_end_whatever_the_stream_says(world: OnlineWorld) -> None:
    world.land(0, 5)
    world.sync(at(days=6))
    writer = world.writer(at(days=5))
    world.append(writer, [event(at(days=5, hours=23)), event(at(days=5, hours=23)), event(at(days=6, hours=1))])
    at_three = at(days=6, hours=3)
    assert world.value("mean_number", at_three) == (1.0, "PRESENT")
    assert world.value("sum_36h", at_three)[0] == 3.0
    # The batch knows better: on the fifth day there was one event, of another value.
    truth = [event(at(days=5, hours=23), value=10.0), event(at(days=6, hours=1))]
    world.land(5, 6, truth)
    world.sync(at(days=6, hours=3))
    assert world.value("sum_36h", at(days=6, hours=2))[0] == 3.0, "not before the batch tiles are available"
    assert world.value("sum_36h", at_three)[0] == 11.0
    world.check(KEYS[:2], at_three, truth)
    # A late event of that day is the batch's business too.
    world.append(writer, [event(at(days=5, hours=22))])
    assert world.value("sum_36h", at_three)[0] == 11.0
    world.append(writer, [event(at(days=6, hours=2), value=0.5)])
    assert world.value("sum_36h", at_three)[0] == 11.5


def test_generations_are_switched_while_events_arrive(world: OnlineWorld) -> None:
    rng = random.Random(8)
    world.rows = sorted(random_events(rng, 160, 16), key=lambda row: row["time"])
    world.land(0, 13)
    world.sync(at(days=13, hours=3))
    writer = world.writer(at(days=13))
    arriving = [row for row in world.rows if row["time"] >= at(days=13)]
    for place, start in enumerate(range(0, len(arriving), 8)):
        piece = arriving[start : start + 8]
        world.append(writer, piece)
        time = piece[-1]["time"] + timedelta(seconds=10)
        if place % 2 == 0 and time > at(days=14, hours=3):
            world.land(13, time.day - at().day)
            world.sync(time)
        world.check(KEYS, time, [row for row in world.rows if row["time"] <= piece[-1]["time"]])


def test_without_batch_tiles_or_a_stream_or_with_a_stream_from_later_on_nothing_is_known(world: OnlineWorld) -> None:
    assert world.value("rows_15m", at(days=6)) == (None, "NOT_COMPUTED")
    writer = world.writer(at(days=5, hours=1))
    world.append(writer, [event(at(days=6, hours=1))])
    assert world.value("rows_15m", at(days=6, hours=1.1)) == (None, "NOT_COMPUTED")
    world.land(0, 5)
    world.sync(at(days=5, hours=3))
    assert writer.since == at(days=6), "tiles of a day are whole from the next day on"
    read = world.read(KEYS, at(days=6, hours=1.1))
    assert set(read.status_names("live__rows_15m")) == {"NOT_COMPUTED"}
    world.land(5, 6)
    world.sync(at(days=6, hours=3))
    assert world.value("rows_15m", at(days=6, hours=1.1)) == (None, "NOT_COMPUTED"), "the batch becomes available at 2h"
    assert world.value("values_1h", at(days=6, hours=2.01)) == (1, "PRESENT")
    world.check(KEYS, at(days=6, hours=2.01), [event(at(days=6, hours=1))])


def test_before_there_is_a_stream_nothing_is_known(world: OnlineWorld) -> None:
    world.land(0, 5)
    world.sync(at(days=6))
    read = world.read(KEYS, at(days=5, hours=3))
    assert set(read.status_names("live__rows_15m")) == {"NOT_COMPUTED"}
    assert read.as_of == {"live": None}


def test_a_hole_in_the_batch_tiles_leaves_the_features_that_reach_it_unknown(world: OnlineWorld) -> None:
    world.rows = [*(event(at(days=day, hours=12)) for day in range(20)), event(at(days=9), KEYS[1])]
    world.land(0, 10)
    world.land(11, 15)
    world.sync(at(days=16))
    world.append(world.writer(at(days=15)), [row for row in world.rows if row["time"] >= at(days=15)])
    time = at(days=15, hours=13)
    assert world.value("number_12d", time) == (None, "NOT_COMPUTED")
    assert world.value("text_vector", time) == (None, "NOT_COMPUTED"), "it is derived from one that is unknown"
    assert world.value("sum_36h", time)[1] == "PRESENT"
    assert world.value("sum_36h", time, KEYS[1]) == (-1.0, "EMPTY"), "its one event lies before the hole"


def test_a_hole_is_judged_anew_at_every_time_as_in_training(world: OnlineWorld) -> None:
    """Windows leave it while the same tiles are served, and events in those that reach it make nobody PRESENT."""
    world.rows = [event(at(days=day, hours=12)) for day in range(20)] + [event(at(days=12, hours=1), KEYS[1])]
    world.land(0, 10)
    world.land(11, 12)
    world.sync(at(days=12, hours=3))
    writer = world.writer(at(days=12), copy=True)
    world.append(writer, [row for row in world.rows if row["time"] >= at(days=12)])
    writer.append(events([]), until=at(days=30))
    assert world.value("sum_36h", at(days=12, hours=3)) == (None, "NOT_COMPUTED")
    lag, left = timedelta(seconds=5), at(days=12, hours=12)
    assert world.value("sum_36h", left + lag - timedelta(seconds=1)) == (None, "NOT_COMPUTED")
    assert world.value("sum_36h", left + lag) == (1.0, "PRESENT")
    assert world.value("rows_15m", at(days=14, hours=15), KEYS[1]) == (0, "EMPTY"), "12 days reach the hole"
    assert world.value("number_12d", at(days=23) + lag) == (9, "PRESENT")
    for time in (at(days=12, hours=3), left + lag, at(days=14, hours=15), at(days=22.9), at(days=23) + lag):
        world.check_equals_join(KEYS, time)


def test_a_sum_that_does_not_fit_is_missing_of_that_feature_and_entity_alone(world: OnlineWorld) -> None:
    world.land(0, 5)
    world.sync(at(days=6))
    writer = world.writer(at(days=5), copy=True)
    world.rows = [event(at(days=5, hours=1), number=2**62), event(at(days=5, hours=1), KEYS[1], number=2)]
    world.rows += [event(at(days=6, hours=1), number=2**62)]
    world.append(writer, world.rows)
    writer.append(events([]), until=at(days=20))
    time = at(days=6, hours=3)
    read = world.read(KEYS, time, ["live__number_12d", "live__sum_36h"])
    assert read.to_dict()["live__number_12d"] == [None, 2, 5, 5]
    assert read.status_names("live__number_12d") == ["NOT_COMPUTED", "PRESENT", "EMPTY", "EMPTY"]
    assert read.status_names("live__sum_36h") == ["PRESENT", "PRESENT", "EMPTY", "EMPTY"]
    world.check_equals_join(KEYS, time)
    world.check_equals_join(KEYS, at(days=5, hours=3))
    assert world.value("number_12d", at(days=18, hours=3))[0] == 2**62, "the older event has left the window"
    with pytest.raises(NotComputedError, match=r"do not fit Int64: streams/live/v1.number_12d: 1 rows from .*drop"):
        world.joined(KEYS, time, allow_missing=False)


def test_a_thousand_entities_in_one_call(world: OnlineWorld) -> None:
    keys = [(f"left{number}", "r") for number in range(1000)]
    before = [event(at(days=4, hours=1), key, number=place) for place, key in enumerate(keys)]
    after = [event(at(days=5, hours=1), key, number=place) for place, key in enumerate(keys) if place % 2]
    world.land(0, 5, before)
    world.sync(at(days=6))
    world.append(world.writer(at(days=5)), after)
    read = world.read([*keys, ("nobody", "")], at(days=5, hours=3), ["live__number_12d", "live__values_1h"])
    assert read.to_dict()["live__number_12d"] == [*(2 * n if n % 2 else n for n in range(1000)), 5]
    assert read.status_names("live__number_12d") == ["PRESENT"] * 1000 + ["EMPTY"]


def test_a_stream_view_and_a_hole_for_a_null_key(world: OnlineWorld) -> None:
    world.land(0, 5, [event(at(days=4, hours=23))])
    world.sync(at(days=6))
    world.writer(at(days=5))
    read = world.read([("1", None), KEYS[0], (None, "12")], at(days=5, hours=3), ["live__sum_36h"])
    assert read.status_names("live__sum_36h") == ["EMPTY", "PRESENT", "EMPTY"]
    assert read.to_dict()["live__sum_36h"] == [-1.0, 1.0, -1.0]
