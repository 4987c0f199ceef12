"""Events that are known later than they happen: parity holds, and an explanation says since when they are known."""

from pathlib import Path

import pytest

from feature_assets.explain import explain
from feature_assets.explain.events import listed_events
from feature_assets.explain.explanation import WindowFacts
from feature_assets.parity.engine import assert_sample_parity
from feature_assets.parity.sampling import Sample
from feature_assets.parity.stored import check_stored
from feature_store.offline.tables.store import OfflineStore
from tests.fixtures.flights import Delays, flight, hour, land, materialize
from tests.spec.declarations import Settled, SettledEver


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> OfflineStore:
    """Hours in which flights of 20 minutes to nine hours land."""
    folder: Path = tmp_path_factory.mktemp("flights")
    store = OfflineStore(str(folder / "offline"))
    flown = [flight(n / 7, n / 7 + 0.3 + n * 13 % 9, float(n), n) for n in range(200)]
    land(store, [each for each in flown if each["arrived_at"] < hour(36)], 0, 36)
    materialize(store, 0, 36)
    return store


@pytest.mark.parametrize("view", [Delays, Settled, SettledEver], ids=lambda view: view.name)
def test_the_engine_computes_what_the_specification_says_of_made_up_rows(view):
    assert_sample_parity(view)


def test_what_is_stored_is_what_is_recomputed_from_the_raw_rows(store):
    parity = check_stored(store, Delays, None, hour(40), Sample(entities=4, instants=12))
    assert len(parity.values) >= 24
    assert not parity.different, str(parity)


def test_an_explanation_says_since_when_an_event_is_known(store):
    found = explain(store, Delays, Delays.feature("flights_1d"), {"airport": "JFK"}, hour(12.5), None, most=3)
    assert found.sides.agree
    assert found.contents is not None
    late = found.contents.missed["known only at or after the as-of, 2013-01-01T12:00:00Z"]
    first = late.shown[0]
    assert first.time < hour(12) <= first.columns["arrived_at"]
    assert first.off_by == "known only at 2013-01-01T12:00:51.428571Z"
    assert found.sides.offline.value == found.contents.counted.total


def test_events_that_just_miss_say_which_of_the_two_times_it_is():
    rows = [
        flight(1, 3, 1.0),  # counts
        flight(1, 4, 2.0),  # known at the as-of
        flight(-21, 2, 3.0),  # before the tail, though known since
        flight(4, 4.5, 4.0),  # after the as-of
        flight(1, None, 5.0),
    ]
    window = WindowFacts(hour(-20), hour(4), "1d", "1h")
    aggregation = Delays.feature("delay_1d").aggregation
    assert aggregation is not None
    counted, missed = listed_events(Delays, aggregation, rows, window, 9)
    assert [event.value for event in counted.shown] == [1.0]
    assert {reason: [(event.value, event.off_by) for event in each.shown] for reason, each in missed.items()} == {
        "known only at or after the as-of, 2013-01-01T04:00:00Z": [(2.0, "known only at 2013-01-01T04:00:00Z")],
        "at or after the as-of, 2013-01-01T04:00:00Z": [(4.0, "0:00:00")],
        "before the tail, 2012-12-31T04:00:00Z": [(3.0, "1:00:00")],
        "null arrived_at: nobody says when it was known": [(5.0, "3:00:00")],
    }
