"""The main job from nothing, on the next day, and when there is nothing left to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.demo.checks import assert_summary
from tests.demo.end_state import content_hashes, delta_versions, runs
from tests.demo.process import Demo
from tests.demo.row_corruption import one_value_changed
from tests.demo.undisturbed import undisturbed


@pytest.mark.timeout(3000)
def test_it_succeeds_and_soon_has_nothing_to_do(
    tmp_path_factory: pytest.TempPathFactory, scaled_data: Path, midnight: datetime, today: datetime
) -> None:
    done = undisturbed(tmp_path_factory, scaled_data, midnight, today)
    try:
        assert_soon_nothing_to_do(done.demo, today)
        assert_planted_difference_is_reported(done.demo)
    finally:
        done.demo.stop_online()


@pytest.mark.full
@pytest.mark.timeout(3000)
def test_sixty_days_of_the_real_data_train_a_model(tmp_path: Path) -> None:
    """What ``make demo`` does on a fresh clone, and what it finds left to do when it is started again."""
    demo = Demo(tmp_path / "demo", None, DAYS="")
    try:
        started = datetime.now(UTC)
        printed = demo.run()
        assert_summary(demo, printed, has_model=True)
        assert 0.6 < printed.summary["auc"] <= 1.0
        assert_soon_nothing_to_do(demo, started, has_model=True)
    finally:
        demo.stop_online()


def assert_soon_nothing_to_do(demo: Demo, last: datetime, has_model: bool = False) -> None:
    """Run by the real clock; a run within the hour of the run before it must write nothing and start nothing."""
    for _attempt in range(3):
        before = content_hashes(demo), delta_versions(demo), runs(demo)
        printed = demo.run()
        previous, last = last, datetime.now(UTC)
        if hour_of(previous) == hour_of(last):
            break
    assert hour_of(previous) == hour_of(last)
    assert (content_hashes(demo), delta_versions(demo), runs(demo)) == before
    assert_summary(demo, printed, has_model)


def assert_planted_difference_is_reported(demo: Demo) -> None:
    """The demo ends with an error, and says which value differs, once a byte is another one online."""
    with one_value_changed(demo.online_url, "retail/household_spend/v1", 900, datetime.now(UTC)):
        printed = demo.run(ends_with=1)
    assert printed.summary["parity_different"] > 0
    assert "household_spend__spend_level" in printed.text
    assert "parity store_demand/v1: 1,000 entities, 17,000 values compared, 0 different" in printed.text


def hour_of(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)
