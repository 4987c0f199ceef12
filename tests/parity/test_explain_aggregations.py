"""Explaining aggregations with several states or none that people can read: buckets, ratios, sketches, lists."""

from datetime import UTC, datetime, timedelta

import pytest

from feature_assets.explain import explain
from feature_assets.explain.events import listed_events
from feature_assets.explain.explanation import WindowFacts
from feature_store import (
    Entity,
    EventSource,
    Float64,
    Int64,
    String,
    Team,
    Timestamp,
    approx_median,
    approx_n_unique,
    col,
    count,
    count_ratio,
    feature_view,
    first,
    first_k,
    last,
    last_k,
    max_,
    min_,
    sum_,
    top_k,
)
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from tests.fixtures.frames import frame

START = datetime(2024, 1, 1, tzinfo=UTC)
AS_OF = START + timedelta(days=3)
COLUMNS = {"driver_id": Int64, "fare": Float64, "city": String, "ended_at": Timestamp}

Team("explained", slack_channel="#explained", email="explained@example.com")
driver = Entity("driver", keys={"driver_id": Int64}, description="A driver")
trips = EventSource(
    "trips", asset="raw/trips", event_time="ended_at", columns=COLUMNS, start=START, description="Trips"
)


@feature_view(
    entity=driver, source=trips, namespace="rides", version=1, owner="explained", cadence="1d", freshness="2d"
)
class Rides:
    """Rides of a driver."""

    by_city = count(by=col("city"), buckets=["Bern", "Genf"], over="2d", description="Trips by city")
    fares = sum_(col("fare"), by=col("city"), buckets=["Bern", "Genf"], over="2d", description="Fares by city")
    dear = count_ratio(col("fare") > 20, col("fare") > 0, over="2d", description="Share of dear trips")
    typical = approx_median(col("fare"), over="2d", description="Median fare")
    cities = approx_n_unique(col("city"), over="2d", description="Distinct cities")
    latest = last_k(col("fare"), 2, over="2d", description="The last two fares")


delivered = EventSource(
    "delivered",
    asset="raw/delivered",
    event_time="ended_at",
    event_id="trip_id",
    columns={**COLUMNS, "trip_id": String},
    start=START,
    description="Trips, some of them delivered twice",
)


@feature_view(
    entity=driver, source=delivered, namespace="rides", version=1, owner="explained", cadence="1d", freshness="2d"
)
class Deliveries:
    """Trips that a stream may deliver twice."""

    fares = sum_(col("fare"), over="2d", description="Fares")


def trip(hours: float, fare: float | None, city: str | None) -> dict:
    return {"driver_id": 7, "fare": fare, "city": city, "ended_at": AS_OF - timedelta(hours=hours)}


ROWS = [trip(1, 30.0, "Bern"), trip(2, 10.0, "Genf"), trip(3, 5.0, "Bern"), trip(4, 8.0, "Rom"), trip(5, None, "Genf")]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> OfflineStore:
    store = OfflineStore(str(tmp_path_factory.mktemp("rides") / "offline"))
    store.source("raw/trips").write(frame(ROWS, COLUMNS), START, AS_OF, time_column="ended_at", run_id="r")
    compute_tiles(store, Rides, START, AS_OF, "r")
    start = AS_OF - timedelta(days=1)
    compute_values(store, Rides, start, AS_OF, "r")
    return store


def explained(store: OfflineStore, feature: str):
    return explain(store, Rides, Rides.feature(feature), {"driver_id": 7}, AS_OF + timedelta(hours=1), None)


@pytest.mark.parametrize("feature", [feature.name for feature in Rides])
def test_all_kinds_are_recomputed_and_written_as_json(store, feature):
    found = explained(store, feature)
    assert found.sides.agree, found.sides
    assert found.to_record()["contents"]["tiles"]["total"] == 1


def test_a_slot_per_bucket_and_events_in_no_bucket(store):
    found = explained(store, "by_city")
    assert found.sides.offline.value == [2, 2]
    (tile,) = found.contents.tiles.shown
    assert tile.state == {"Bern: n": 2, "Bern: rows": 2, "Genf: n": 2, "Genf: rows": 2}
    (reason,) = found.contents.missed
    assert reason == "in no bucket (city is none of them)"
    assert [event.columns["city"] for event in found.contents.missed[reason].shown] == ["Rom"]


def test_null_inputs_just_miss(store):
    missed = explained(store, "fares").contents.missed
    assert {reason: listing.total for reason, listing in missed.items()} == {
        "in no bucket (city is none of them)": 1,
        "null input": 1,
    }


def test_a_ratio_shows_both_counts(store):
    found = explained(store, "dear")
    (tile,) = found.contents.tiles.shown
    assert (tile.state["numerator"], tile.state["denominator"]) == (1, 4)
    assert found.sides.offline.value == 0.25
    assert found.contents.counted.shown[0].columns == {"fare": 30.0}


def test_what_nobody_reads_one_by_one_shows_its_size(store):
    (tile,) = explained(store, "cities").contents.tiles.shown
    assert tile.state["theta"].endswith(" bytes")
    (tile,) = explained(store, "typical").contents.tiles.shown
    assert (tile.state["bins"], tile.state["bin_counts"]) == ("4 bins", "4 bins")


def test_an_approximation_is_called_one(store):
    sides = explained(store, "typical").sides
    assert sides.recomputed != sides.offline
    assert sides.verdict == "same: offline within the stated 1 % of the recomputed value"
    assert explained(store, "dear").sides.verdict == "same: offline as recomputed"


def test_at_a_bound_no_partition_is_said_to_be_missing(store):
    """The next one is available at T itself: only after it would it be read."""
    next_one = AS_OF + timedelta(days=1)

    def notes(time: datetime) -> tuple[str, ...]:
        return explain(store, Rides, Rides.feature("fares"), {"driver_id": 7}, time, None).partition.notes

    assert notes(next_one) == ()
    (note,) = notes(next_one + timedelta(microseconds=1))
    assert "as-of 2024-01-05T00:00:00Z would be available by T" in note


WINDOW = WindowFacts(AS_OF - timedelta(days=2), AS_OF, "2d", "1h")


@feature_view(
    entity=driver, source=trips, namespace="rides", version=1, owner="explained", cadence="1d", freshness="2d"
)
class Choices:
    """Values of single trips."""

    first_city = first(col("city"), over="2d", description="First city")
    last_city = last(col("city"), over="2d", description="Last city")
    cheapest = min_(col("fare"), over="2d", description="Lowest fare")
    dearest = max_(col("fare"), over="2d", description="Highest fare")
    first_two = first_k(col("city"), 2, over="2d", description="First cities")
    last_two = last_k(col("fare"), 2, over="2d", description="Last fares")
    top_two = top_k(col("fare"), 2, over="2d", description="Highest fares")
    last_fares = last(col("fare"), by=col("city"), buckets=["Genf", "Bern"], over="2d", description="By city")


@pytest.mark.parametrize(
    ("feature", "places"),
    [
        ("first_city", {"value": (9, "Basel")}),
        ("last_city", {"value": (1, "Zug")}),
        ("cheapest", {"value": (1, 2.0)}),
        ("dearest", {"value": (8, 9.0)}),
        ("first_two", {"value 1": (9, "Basel"), "value 2": (8, "Bern")}),
        ("last_two", {"value 1": (1, 4.0), "value 2": (1, 3.0)}),
        ("top_two", {"value 1": (8, 9.0), "value 2": (9, 5.0)}),
        ("last_fares", {"Genf": (1, 3.0), "Bern": (8, 9.0)}),
    ],
)
def test_the_events_whose_values_are_the_result_are_shown_and_marked(feature, places):
    rows = [
        trip(1, 2.0, "Aarau"),
        trip(9, 5.0, "Basel"),
        trip(1, 4.0, "Zug"),
        trip(8, 9.0, "Bern"),
        trip(1, 3.0, "Genf"),
        trip(5, None, None),
    ]
    aggregation = Choices.feature(feature).aggregation
    counted, _missed = listed_events(Choices, aggregation, rows, WINDOW, 1)
    marked = {event.place: (hours_before(event.time), event.value) for event in counted.shown if event.place}
    assert marked == places
    # Besides them the latest, in the order of the specification: time, then value.
    assert hours_before(counted.shown[0].time) == 1
    assert [event.time for event in counted.shown] == sorted((event.time for event in counted.shown), reverse=True)
    complete, _missed = listed_events(Choices, aggregation, rows, WINDOW, 10)
    latest = [event.value for event in complete.shown if hours_before(event.time) == 1]
    assert latest == sorted(latest, reverse=True)
    assert counted.total == complete.total == len(complete.shown)


def hours_before(time: datetime) -> float:
    return (AS_OF - time) / timedelta(hours=1)


def test_an_event_at_the_tail_counts_and_one_before_just_misses():
    rows = [trip(48, 1.0, None), {**trip(48, 2.0, None), "ended_at": AS_OF - timedelta(days=2, microseconds=1)}]
    counted, missed = listed_events(Choices, Choices.feature("dearest").aggregation, rows, WINDOW, 10)
    assert [(event.value, event.off_by) for event in counted.shown] == [(1.0, "")]
    (before,) = missed["before the tail, 2024-01-02T00:00:00Z"].shown
    assert (before.value, before.off_by) == (2.0, "0:00:00.000001")


def test_what_misses_is_listed_by_its_age_the_youngest_first():
    rows = [trip(hours, None, None) for hours in (48, 3, 47, 1)]
    _counted, missed = listed_events(Choices, Choices.feature("dearest").aggregation, rows, WINDOW, 10)
    assert [hours_before(event.time) for event in missed["null input"].shown] == [1, 3, 47, 48]


def test_an_event_that_was_delivered_twice_counts_once():
    window = WindowFacts(AS_OF - timedelta(days=2), AS_OF, "2d", "1h")
    rows = [{**trip(2, 5.0, None), "trip_id": "a"}, {**trip(1, 7.0, None), "trip_id": "a"}]
    counted, missed = listed_events(Deliveries, Deliveries.feature("fares").aggregation, rows, window, 10)
    assert [event.value for event in counted.shown] == [5.0]
    (repeated,) = missed["repeats the trip_id of an earlier event"].shown
    assert (repeated.value, repeated.columns["trip_id"]) == (7.0, "a")
