"""The merchandising team."""

from __future__ import annotations

from feature_store import Team

team = Team("merchandising", slack_channel="#merchandising-features", email="merchandising@example.com")
