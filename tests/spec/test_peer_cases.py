"""Cases that other feature stores test, on data of our own; where our rule differs on purpose, the test says so.

Those about which partition T sees, time to live, unseen and repeated entities and as-ofs are in ``test_reading``; those
about keys, duplicates, nulls and bounds of windows are in ``test_examples``;
that a stream without a snapshot answers nothing is in ``tests/serving/read/test_streams_online.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from feature_store import (
    Boolean,
    Entity,
    EventSource,
    FeatureService,
    FeatureView,
    Float64,
    Int64,
    TableSource,
    Timestamp,
    col,
    count,
    feature_view,
    field,
    last,
    mean,
)
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.expressions import microseconds
from feature_store.plans.service_plan import write_plan
from feature_store.status import Status
from serving.client import FeatureClient
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from tests.spec.declarations import START, at
from tests.spec.stores import RUN
from tests.spec.worlds import MICROSECOND

DRIVER = Entity("spec_driver", keys={"driver": Int64}, description="Somebody who drives")
COLUMNS = {"driver": Int64, "time": Timestamp, "created": Timestamp, "gone": Boolean, "value": Float64}
OPTIONS = {"entity": DRIVER, "namespace": "peers", "version": 1, "owner": "spec", "freshness": "2d", "cadence": "1d"}
END = at(12)


def table(name: str, row_ttl: str | None = None, **roles: str) -> FeatureView:
    source = TableSource(
        f"peer_{name}", asset=f"raw/{name}", time="time", columns=COLUMNS, start=START, description="d", **roles
    )
    body = type(name.title(), (), {"__doc__": "A value.", "value": field(description="d")})
    return feature_view(source=source, row_ttl=row_ttl, **OPTIONS)(body)


PLAIN = table("plain")
BY_CREATION = table("created", sequence="created")
SHORT_LIVED = table("short", row_ttl="7d")
LANDED = table("landed", landed_at="created", sequence="created")
CHANGED = table("changed", sequence="created", deleted="gone")

RIDES = EventSource("peer_rides", asset="raw/rides", event_time="time", columns=COLUMNS, start=START, description="d")


@feature_view(source=RIDES, **{**OPTIONS, "cadence": "1h"})
class Rides:
    """What was last measured, by the hour."""

    value = last(col("value"), over="1d", hop="1h", description="d")


@feature_view(source=RIDES, **OPTIONS)
class Ratings:
    """A mean over a window that forgets."""

    rating = mean(col("value"), over="2d", hop="1d", description="d")
    ratings = count(over="2d", hop="1d", description="d")


Driven = Sequence[tuple]
"""Rows of (driver, time, value, created, gone), the last two if they matter."""


def landed(store: OfflineStore, view: FeatureView, rows: Driven) -> None:
    types = {"driver": pl.Int64, "time": INSTANT, "value": pl.Float64, "created": INSTANT, "gone": pl.Boolean}
    full = [(*row, *[None] * (len(types) - len(row))) for row in rows]
    frame = pl.DataFrame(full, schema=types, orient="row")
    store.source(view.source.asset).write(frame, START, END, time_column="time", run_id=RUN)


def materialised(store: OfflineStore, view: FeatureView, start: datetime, end: datetime) -> None:
    if not view.is_table:
        compute_tiles(store, view, start, end, RUN)
    compute_values(store, view, start, end, RUN)


def computed(root: Path, view: FeatureView, rows: Driven) -> OfflineStore:
    """Store the values of a view of some rows, of all partitions."""
    store = OfflineStore(str(root))
    landed(store, view, rows)
    materialised(store, view, START, END)
    return store


def served(
    url: str, store: OfflineStore, view: FeatureView, drivers: Sequence[int | None], time: datetime, plans: Path
) -> list:
    """Load what is there, and return the values that drivers are served at a time, which is now."""
    writer = open_loader(url)
    with patch("serving.stores.redis.write.publication.store_time", lambda _: microseconds(time)):
        sync_view(store, view, writer, time)
    writer.close()
    write_plan(plans, compile_plan(service(view)))
    with FeatureClient(plans, url) as client:
        return client.get_features(view.name, {"driver": list(drivers)}, time=time).to_dict()[f"{view.name}__value"]


def trained(
    store: OfflineStore, view: FeatureView, asked: Sequence[tuple[int | None, datetime]], name: str = "value"
) -> list:
    """Return the values for drivers at times."""
    spine = pl.DataFrame(asked, schema={"driver": pl.Int64, "time": INSTANT}, orient="row")
    plan = compile_plan(service(view))
    joined = point_in_time_join(store, plan, spine, "time", allow_missing=True)
    assert joined.select(spine.columns).equals(spine)
    return joined[f"{view.name}__{name}"].to_list()


def service(view: FeatureView) -> FeatureService:
    return FeatureService(view.name, 1, "spec", "A value", [view.all()])


def test_p2_without_a_time_to_live_rows_of_any_age_are_used(tmp_path: Path) -> None:
    store = computed(tmp_path, PLAIN, [(1, START, 7.0)])
    assert trained(store, PLAIN, [(1, at(11)), (1, END + timedelta(days=99))]) == [7.0, 7.0]


def test_p3_of_rows_of_one_time_the_one_created_last_counts_and_a_later_time_beats_both(tmp_path: Path) -> None:
    now, tomorrow = at(2), at(3)
    rows = [(1, now, 10.0, now), (1, now, 20.0, tomorrow), (2, now, 30.0, tomorrow), (2, tomorrow, 40.0, now)]
    store = computed(tmp_path, BY_CREATION, rows)
    assert trained(store, BY_CREATION, [(1, at(5)), (2, at(5))]) == [20.0, 40.0]


def test_p4_what_landed_later_is_left_out_where_landing_times_are_declared(tmp_path: Path) -> None:
    now, later = at(2), at(6)
    rows = [(1, now, 10.0, now), (1, now, 20.0, later), (2, now, 30.0, now), (2, now + MICROSECOND, 40.0, later)]
    assert trained(computed(tmp_path / "all", BY_CREATION, rows), BY_CREATION, [(1, at(4)), (2, at(4))]) == [20.0, 40.0]
    store = computed(tmp_path / "landed", LANDED, rows)
    assert trained(store, LANDED, [(1, at(4)), (2, at(4))]) == [10.0, 30.0]
    assert trained(store, LANDED, [(1, at(7)), (2, at(7))]) == [20.0, 40.0]


def test_p5_the_latest_row_that_is_young_enough(tmp_path: Path) -> None:
    rows = [(1, at(1), 11.0), (1, at(3), 22.0), (1, at(5), 33.0), (2, at(0), 22.0)]
    store = computed(tmp_path, SHORT_LIVED, rows)
    asked = [(1, at(2) + MICROSECOND), (1, at(3) + MICROSECOND), (2, at(9)), (3, at(9))]
    # On purpose: a row at the very instant asked for does not count, though others match equal times. At `at(3)` plus
    # a microsecond the newest snapshot is as of `at(3)`, which holds what was strictly before.
    assert trained(store, SHORT_LIVED, asked) == [11.0, 11.0, None, None]
    assert trained(store, SHORT_LIVED, [(1, at(4) + MICROSECOND)]) == [22.0]


def test_p6_rows_that_landed_in_the_future_or_never_leave_a_row_without_a_value(tmp_path: Path) -> None:
    store = computed(tmp_path, LANDED, [(1, at(1), 10.0, at(9)), (2, at(1), 20.0, None), (3, at(1), 30.0, at(1))])
    asked = [(1, at(4)), (2, at(4)), (3, at(4)), (1, at(4))]
    assert trained(store, LANDED, asked) == [None, None, 30.0, None]


def test_p7_one_view_in_two_roles_gives_two_columns(tmp_path: Path) -> None:
    store = computed(tmp_path, PLAIN, [(1, at(1), 10.0), (2, at(1), 20.0)])
    roles = [PLAIN.all().as_role(role, driver=f"{role}_driver") for role in ("first", "second")]
    plan = compile_plan(FeatureService("shift", 1, "spec", "Two drivers", roles))
    spine = pl.DataFrame({"first_driver": [1, 2, 1], "second_driver": [2, 1, 1]})
    joined = point_in_time_join(store, plan, spine.with_columns(pl.lit(at(4), INSTANT).alias("time")), "time")
    assert joined["first__plain__value"].to_list() == [10.0, 20.0, 10.0]
    assert joined["second__plain__value"].to_list() == [20.0, 10.0, 10.0]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_r1_rows_of_one_batch_may_come_in_any_order(tmp_path: Path, valkey: str, order: list[int]) -> None:
    rows = [(1, at(1), 1.0), (1, at(1, hours=5), 2.0), (1, at(1, hours=3), 3.0)]
    store, time = OfflineStore(str(tmp_path / "offline")), at(2) + MICROSECOND
    landed(store, Rides, [rows[place] for place in order])
    materialised(store, Rides, START, at(2))
    assert trained(store, Rides, [(1, time)]) == [2.0]
    assert served(valkey, store, Rides, [1], time, tmp_path / "plans") == [2.0]


def test_o1_an_older_row_that_comes_later_never_overwrites_a_newer_one(tmp_path: Path, valkey: str) -> None:
    store, time = OfflineStore(str(tmp_path / "offline")), at(2) + MICROSECOND
    arriving = [(1, at(1, hours=3), 1.0), (1, at(1), 2.0), (1, at(1, hours=5), 3.0)]
    for arrived, newest in ((1, 1.0), (2, 1.0), (3, 3.0)):
        landed(store, Rides, arriving[:arrived])
        materialised(store, Rides, START, at(2))
        assert trained(store, Rides, [(1, time)]) == [newest]
        assert served(valkey, store, Rides, [1], time, tmp_path / "plans") == [newest]


def test_v1_entities_of_one_request_may_be_unsorted_repeated_unseen_and_null(tmp_path: Path, valkey: str) -> None:
    # P8, all entities without a spine, is not a request here: whoever wants them reads the snapshot.
    store = computed(tmp_path, PLAIN, [(driver, at(1), driver * 1.5) for driver in range(1, 6)])
    drivers = [5, 1, 3, 1, 99, 5, None, 2, 1]
    wanted = [7.5, 1.5, 4.5, 1.5, None, 7.5, None, 3.0, 1.5]
    assert served(valkey, store, PLAIN, drivers, at(3), tmp_path / "plans") == wanted
    assert trained(store, PLAIN, [(driver, at(3)) for driver in drivers]) == wanted


def test_o3_dropping_a_view_leaves_those_of_the_same_entity(tmp_path: Path, valkey: str) -> None:
    views = [PLAIN, SHORT_LIVED]
    writer = open_loader(valkey)
    for view in views:
        sync_view(computed(tmp_path / view.name, view, [(1, at(11), 5.0)]), view, writer, END + MICROSECOND)
        write_plan(tmp_path / "plans", compile_plan(service(view)))
    writer.drop_view(PLAIN.full_name)
    writer.close()
    with FeatureClient(tmp_path / "plans", valkey) as client:
        dropped, kept = (client.get_features(view.name, {"driver": [1]}, time=END + MICROSECOND) for view in views)
    assert dropped.to_dict()["plain__value"] == [None]
    assert dropped.status_names("plain__value") == [Status.NOT_COMPUTED.name]
    assert kept.to_dict()["short__value"] == [5.0]


def test_e1_materialised_to_a_split_and_on_the_same_values_are_trained_on_and_served(
    tmp_path: Path, valkey: str
) -> None:
    now = at(11)
    berlin, pacific = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Los_Angeles")
    hours = timedelta(hours=1)
    rows = [
        (1, now - 4 * hours, 0.1),
        (2, now, None),
        (1, now - 3 * hours, 0.3),
        (3, (now - 4 * hours).astimezone(berlin), 4.0),
        (3, (now - hours).astimezone(pacific), 5.0),
    ]
    store, start = OfflineStore(str(tmp_path / "offline")), START
    landed(store, Rides, rows)
    for split, expected in ((now - 2 * hours, [0.3, None, 4.0]), (now, [0.3, None, 5.0])):
        materialised(store, Rides, start, split)
        start, time = split, split + MICROSECOND
        assert served(valkey, store, Rides, [1, 2, 3], time, tmp_path / "plans") == expected
        assert trained(store, Rides, [(driver, time) for driver in (1, 2, 3)]) == expected


def test_changes_of_rows_insert_update_delete_and_a_change_of_key(tmp_path: Path) -> None:
    rows = [
        (1, at(1), 4.0, at(1), False),  # inserted
        (1, at(2), 5.0, at(2), False),  # updated
        (2, at(1), 3.0, at(1), False),
        (2, at(3), None, at(3), True),  # deleted, as its key changed ...
        (3, at(3), 3.0, at(3), False),  # ... to this one
        (4, at(5), 2.0, at(5), False),  # comes after it is asked for
    ]
    store = computed(tmp_path, CHANGED, rows)
    drivers = (1, 2, 3, 4)
    assert trained(store, CHANGED, [(driver, at(2) + MICROSECOND) for driver in drivers]) == [4.0, 3.0, None, None]
    assert trained(store, CHANGED, [(driver, at(4) + MICROSECOND) for driver in drivers]) == [5.0, None, 3.0, None]
    assert trained(store, CHANGED, [(driver, at(6) + MICROSECOND) for driver in drivers]) == [5.0, None, 3.0, 2.0]


def test_a_mean_over_a_window_forgets_and_is_null_where_nothing_is_left(tmp_path: Path) -> None:
    # On purpose: an empty count is 0, where others give null; an empty mean is null.
    store = computed(tmp_path, Ratings, [(1, at(1), 4.0), (1, at(2), 5.0), (1, at(2, hours=12), None)])
    asked = [(1, at(day) + MICROSECOND) for day in (1, 2, 3, 4, 5)]
    assert trained(store, Ratings, asked, "rating") == [None, 4.0, 4.5, 5.0, None]
    assert trained(store, Ratings, asked, "ratings") == [0, 1, 3, 2, 0]


def test_events_with_the_time_of_a_day_count_from_the_tail_on_and_not_at_the_as_of(tmp_path: Path) -> None:
    # Dates without a time of day lie exactly on the bounds of windows: one that is counted offline and dropped online
    # (or the other way round) is the classic difference between two code paths.
    days = [(1, at(day), float(day)) for day in range(8)]
    store = computed(tmp_path, Ratings, days)
    assert trained(store, Ratings, [(1, at(5) + MICROSECOND)], "ratings") == [2]
    assert trained(store, Ratings, [(1, at(5) + MICROSECOND)], "rating") == [3.5]
