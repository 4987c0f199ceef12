"""Every test of the model knows the same teams, whatever other tests declare."""

import pytest

from feature_store import Team
from feature_store.model import teams


@pytest.fixture(autouse=True)
def two_teams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teams, "_TEAMS", {})
    Team("growth", slack_channel="#growth", email="growth@example.com")
    Team("pricing", slack_channel="#pricing", email="pricing@example.com")
