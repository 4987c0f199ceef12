"""What the tests of the teams' definitions share."""

from tests.fixtures.small_store import small_store

__all__ = ["small_store"]
