"""Two runs of the demo that nobody disturbs: a second before midnight, and again today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.demo.checks import assert_summary
from tests.demo.end_state import EndState, end_state, newest_as_of
from tests.demo.process import Demo
from tests.fixtures.shared_result import made_by_one_worker

SPEND = "views/retail/household_spend/v1/values"
SERVED_AFTER = timedelta(hours=2)
"""From the present of the last run to the T of the vectors in the state: each daily snapshot is available by then."""


@dataclass(frozen=True)
class Undisturbed:
    """The demo, whose online store was stopped, and what it left."""

    demo: Demo
    state: EndState


def undisturbed(factory: pytest.TempPathFactory, data: Path | None, midnight: datetime, today: datetime) -> Undisturbed:
    """Run twice, once per test session and data folder (None: the real data)."""
    name = "undisturbed" if data else "undisturbed-on-real-data"
    return made_by_one_worker(factory, name, lambda: _run_twice(factory.mktemp(name), data, midnight, today))


def _run_twice(folder: Path, data: Path | None, midnight: datetime, today: datetime) -> Undisturbed:
    demo = Demo(folder / "demo", data)
    try:
        assert_summary(demo, demo.run(midnight - timedelta(seconds=1)))
        assert newest_as_of(demo, SPEND) == midnight - timedelta(days=1)
        assert_summary(demo, demo.run(today))
        assert newest_as_of(demo, SPEND) == today.replace(hour=0, minute=0, second=0)
        return Undisturbed(demo, end_state(demo, today + SERVED_AFTER))
    finally:
        demo.stop_online()
