"""The stores that the contract of ``serving.stores.store`` is tried on. To add one, add one entry to ``STORES``."""

from __future__ import annotations

import pytest

from tests.fixtures.valkey import valkey, valkey_server
from tests.stores.redis_under_test import RedisUnderTest
from tests.stores.under_test import StoreUnderTest

__all__ = ["store", "valkey", "valkey_server"]

STORES = {"valkey": lambda request: RedisUnderTest(request.getfixturevalue("valkey"))}
"""By name, what gives an empty store, from the fixtures that start its server."""


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> StoreUnderTest:
    """An empty store."""
    return STORES[request.param](request)
