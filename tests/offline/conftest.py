"""What the tests of the offline store share."""

from pathlib import Path

import pytest

from feature_store.offline.tables.store import OfflineStore


@pytest.fixture
def store(tmp_path: Path) -> OfflineStore:
    """Give an empty offline store on a disk."""
    return OfflineStore(str(tmp_path / "offline"))
