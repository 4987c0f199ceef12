"""Events that are known later than they happen, in the offline store: no partition of before changes."""

from dataclasses import replace
from datetime import datetime

import polars as pl
import pytest

from feature_store.errors import FingerprintError, InputError
from feature_store.offline.materialize.materialize import compute_tiles
from feature_store.offline.materialize.stale import stale_partitions, stale_tiles
from feature_store.offline.tables.store import OfflineStore
from tests.fixtures.flights import Delays, flight, flights, hour, land, materialize, rows_of

ON_TIME = [flight(0.5, 0.9, 4.0), flight(1.5, 1.9, 8.0)]
LATE = flight(0.25, 3.5, 90.0)


def values(store: OfflineStore) -> dict[datetime, tuple[int, float]]:
    rows = store.values(Delays).scan().select("as_of", "flights_1d", "delay_1d").collect()
    return {as_of: (count, delay) for as_of, count, delay in rows.iter_rows()}


def test_an_event_known_later_counts_from_then_on_and_leaves_closed_partitions_as_they_were(store: OfflineStore):
    land(store, ON_TIME, 0, 3)
    materialize(store, 0, 3)
    before = values(store)
    assert before == {hour(1): (1, 4.0), hour(2): (2, 6.0), hour(3): (2, 6.0)}
    land(store, [LATE], 3, 4)
    assert (stale_tiles(store, Delays, hour(0), hour(4)), stale_partitions(store, Delays, hour(0), hour(3))) == (
        [hour(3)],
        [],
    )
    materialize(store, 3, 4)
    assert values(store) == {**before, hour(4): (3, 34.0)}


def test_computed_again_from_all_that_landed_nothing_changes(store: OfflineStore):
    land(store, ON_TIME, 0, 3)
    land(store, [LATE], 3, 4)
    materialize(store, 0, 4)
    assert values(store) == {hour(1): (1, 4.0), hour(2): (2, 6.0), hour(3): (2, 6.0), hour(4): (3, 34.0)}


def test_rows_and_tiles_lie_in_the_partition_in_which_they_are_known(store: OfflineStore):
    land(store, [*ON_TIME, LATE], 0, 4)
    materialize(store, 0, 4)
    rows = store.source(flights.asset).scan().select("partition_start", "departed_at").sort("departed_at").collect()
    assert rows.rows() == [(hour(3), hour(0.25)), (hour(0), hour(0.5)), (hour(1), hour(1.5))]
    tiles = store.tiles(Delays).scan().select("partition_start", "tile_start").sort("partition_start").collect()
    assert tiles.rows() == [(hour(0), hour(0)), (hour(1), hour(1)), (hour(3), hour(0))]


def test_rows_of_which_nobody_says_when_they_were_known_are_left_out_and_counted(store: OfflineStore):
    land(store, [*ON_TIME, flight(0.1, None, 1.0)], 0, 3)
    assert store.source(flights.asset).ledger.partitions()["excluded"].to_list() == [1, 0, 0]
    assert compute_tiles(store, Delays, hour(0), hour(3), "r").without_time == 1
    assert store.tiles(Delays).ledger.partitions()["rows"].to_list() == [1, 1, 0]


def test_rows_that_were_known_in_another_partition_are_refused(store: OfflineStore):
    with pytest.raises(InputError, match="1 rows are in no partition of"):
        land(store, [LATE], 0, 3)


@pytest.mark.parametrize("known_at", [None, "other"])
def test_rows_landed_by_other_times_are_not_read(store: OfflineStore, known_at: str | None):
    rows = rows_of(ON_TIME).with_columns(other=pl.col("departed_at"))
    store.source(flights.asset).write(
        rows, hour(0), hour(24), time_column="departed_at", known_at=known_at, run_id="land"
    )
    message = rf"raw/flights: 1 of its partitions, the first from .*, were landed with known_at={known_at!r}, but"
    with pytest.raises(FingerprintError, match=message):
        compute_tiles(store, Delays, hour(0), hour(3), "r")


def test_rows_landed_as_known_later_are_not_read_as_if_they_were_not(store: OfflineStore):
    land(store, ON_TIME, 0, 3)
    careless = replace(Delays, source=replace(flights, known_at=None))
    with pytest.raises(FingerprintError, match="known_at='arrived_at', but source flights declares known_at=None"):
        compute_tiles(store, careless, hour(0), hour(3), "r")
