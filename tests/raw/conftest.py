from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_assets.raw.clock import clock
from feature_store.offline.tables.store import OfflineStore


@pytest.fixture
def fresh_clock() -> Iterator[None]:
    """Let the test see a process that has not read its clock yet."""
    clock.cache_clear()
    yield
    clock.cache_clear()


@pytest.fixture
def store(tmp_path: Path) -> OfflineStore:
    return OfflineStore(str(tmp_path / "offline"))
