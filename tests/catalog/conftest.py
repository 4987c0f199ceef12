"""What the tests of the catalog share."""

from tests.model.conftest import two_teams

__all__ = ["two_teams"]
