from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from feature_assets.teams.growth.training.churn_spine import ACTIVE_SPAN, LABEL, LABEL_SPAN, build_spine, spine_times
from feature_store.errors import InputError

T = datetime(2017, 6, 1, 6, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def bought(*rows: tuple[int, datetime]) -> pl.LazyFrame:
    schema = {"household_id": pl.Int64, "purchased_at": pl.Datetime("us", "UTC")}
    return pl.LazyFrame(rows, schema=schema, orient="row")


def labels(transactions: pl.LazyFrame) -> dict[int, bool]:
    spine = build_spine(transactions, [T], known_until=T + LABEL_SPAN)
    return dict(spine.select("household_id", LABEL).iter_rows())


def test_the_label_window_includes_its_start_and_excludes_its_end():
    before = T - timedelta(days=1)
    at_start = [(1, before), (1, T)]
    just_inside = [(2, before), (2, T + LABEL_SPAN - MICROSECOND)]
    at_end = [(3, before), (3, T + LABEL_SPAN)]
    assert labels(bought(*at_start, *just_inside, *at_end)) == {1: False, 2: False, 3: True}


def test_only_households_that_bought_in_the_90_days_before_are_asked_about():
    oldest = (1, T - ACTIVE_SPAN)
    too_old = (2, T - ACTIVE_SPAN - MICROSECOND)
    only_later = (3, T)
    latest = (4, T - MICROSECOND)
    assert labels(bought(oldest, too_old, only_later, latest)) == {1: True, 4: True}


def test_one_row_per_time_and_household_sorted():
    rows = [(household, T - timedelta(days=days)) for household in (2, 1) for days in (1, 1, 2, 40)]
    times = [T + timedelta(days=1), T, T]
    spine = build_spine(bought(*rows), times, known_until=T + timedelta(days=30))
    assert spine.select("time", "household_id").rows() == [(t, h) for t in (T, T + timedelta(days=1)) for h in (1, 2)]
    assert spine.schema == {"household_id": pl.Int64, "time": pl.Datetime("us", "UTC"), LABEL: pl.Boolean}


def test_given_households_only():
    rows = [(household, T - timedelta(days=1)) for household in (1, 2, 3)]
    spine = build_spine(bought(*rows), [T], [3, 1, 99], known_until=T + LABEL_SPAN)
    assert spine["household_id"].to_list() == [1, 3]


def test_an_open_label_window_is_refused():
    with pytest.raises(
        InputError, match=r"known only until 2017-06-15T05:59:59.999999\+00:00: use times up to 2017-06-01T05:59"
    ):
        build_spine(bought((1, T)), [T], known_until=T + LABEL_SPAN - MICROSECOND)


def test_spine_times_end_where_label_windows_are_closed():
    times = spine_times(datetime(2017, 5, 1, tzinfo=UTC), T + LABEL_SPAN)
    assert (times[0], times[-1], len(times)) == (datetime(2017, 5, 1, 6, tzinfo=UTC), T, 32)
    assert spine_times(datetime(2017, 5, 1, tzinfo=UTC), T + LABEL_SPAN - MICROSECOND)[-1] == T - timedelta(days=1)


def test_spine_times_never_lie_before_the_first_day():
    start = datetime(2017, 5, 1, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    assert spine_times(start, T, timedelta(days=7))[0] == datetime(2017, 5, 2, 6, tzinfo=UTC)


def test_no_purchases_give_an_empty_spine_of_the_same_columns():
    spine = build_spine(bought(), [T], known_until=T + LABEL_SPAN)
    assert (spine.height, spine.columns) == (0, ["household_id", "time", LABEL])
