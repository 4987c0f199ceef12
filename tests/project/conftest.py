from pathlib import Path

import pytest

from tests.fixtures.valkey import valkey, valkey_server
from tests.project.repository import Repository

__all__ = ["valkey", "valkey_server"]


@pytest.fixture
def repository(tmp_path: Path, valkey: str) -> Repository:
    """A repository of its own in an empty folder, with an online store."""
    return Repository(tmp_path / "outside", valkey)
