"""What the tests of the servers share."""

from tests.fixtures.valkey import valkey, valkey_server

__all__ = ["valkey", "valkey_server"]

# Programs of other environments, which import what is not here.
collect_ignore_glob = ["jobs/*"]
