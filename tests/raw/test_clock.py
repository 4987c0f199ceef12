from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_assets.raw import clock as module
from feature_assets.raw.clock import DATA_END, HOURLY_DAYS, Clock, clock, decide, has_run_dry, keep, now, read_kept
from feature_store.errors import InputError

instants = st.datetimes(datetime(2018, 1, 1, 4, 1, 21), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


@given(instants)
def test_the_data_ends_within_the_week_that_follows(at: datetime) -> None:
    decided = decide(at, original=False)
    assert at <= decided.data_end < at + timedelta(weeks=1)
    assert decided.shift % timedelta(weeks=1) == timedelta(0)
    assert decided.hourly_start.time().isoformat() == "00:00:00"
    assert HOURLY_DAYS <= at - decided.hourly_start < HOURLY_DAYS + timedelta(days=1)


def test_data_that_ends_right_now_is_not_moved_further() -> None:
    a_week = timedelta(weeks=1)
    assert decide(DATA_END + 3 * a_week, original=False).weeks == 3
    assert decide(DATA_END + 3 * a_week + timedelta(microseconds=1), original=False).weeks == 4
    assert decide(DATA_END - timedelta(days=30), original=False).weeks == 0


def test_tests_run_on_the_original_dates() -> None:
    assert clock().history_start == datetime(2017, 1, 1, tzinfo=UTC)
    assert clock().data_end < now()
    assert has_run_dry()


def test_the_first_to_keep_a_clock_decides(tmp_path: Path) -> None:
    file = tmp_path / "state" / "clock.json"
    first = decide(datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), original=False)
    second = decide(datetime(2026, 3, 2, 0, 0, 1, tzinfo=UTC), original=False)
    assert first != second
    keep(first, file)
    keep(first, file)
    with pytest.raises(InputError, match="another clock than this process began with"):
        keep(second, file)
    assert read_kept(file) == first
    assert [path.name for path in file.parent.iterdir()] == ["clock.json"]


def test_a_kept_clock_is_used_long_after_its_data_has_run_dry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_clock: None
) -> None:
    kept = decide(datetime(2026, 3, 2, tzinfo=UTC), original=False)
    keep(kept, tmp_path / "clock.json")
    monkeypatch.setenv("FEATURES_STATE", str(tmp_path))
    monkeypatch.setenv("FEATURES_CLOCK", "live")
    monkeypatch.setenv("FEATURES_NOW", "2026-03-02T00:00:00+00:00")
    assert clock() == kept
    assert not has_run_dry()
    monkeypatch.setenv("FEATURES_NOW", "2026-05-01T00:00:00+00:00")
    module.clock.cache_clear()
    assert clock() == kept
    assert has_run_dry()


def test_a_state_filled_on_other_dates_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_clock: None
) -> None:
    keep(Clock(0, datetime(2017, 12, 19, tzinfo=UTC), original=True), tmp_path / "clock.json")
    monkeypatch.setenv("FEATURES_STATE", str(tmp_path))
    monkeypatch.setenv("FEATURES_CLOCK", "live")
    with pytest.raises(InputError, match="filled with FEATURES_CLOCK=original"):
        clock()
