"""What the tests of parity share."""

from tests.fixtures.small_store import small_store
from tests.fixtures.valkey import valkey, valkey_server

__all__ = ["small_store", "valkey", "valkey_server"]
