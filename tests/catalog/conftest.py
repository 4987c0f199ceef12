"""What the tests of the catalog share: each database that it can lie in, empty."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feature_store.catalog.store import Catalog
from tests.model.conftest import two_teams

__all__ = ["two_teams"]

DATABASES = [
    "sqlite",
    pytest.param("postgres", marks=[pytest.mark.engines, pytest.mark.xdist_group("postgres")]),
]


@pytest.fixture(params=DATABASES)
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Gives the URL of another empty database each time."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres").new_database
    numbers = iter(range(10**6))
    return lambda: f"sqlite:///{tmp_path}/catalog{next(numbers)}.db"


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    """The URL of an empty database."""
    return new_url()


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    """An empty catalog."""
    opened = Catalog(url)
    yield opened
    opened.close()
