"""The growth team."""

from __future__ import annotations

from feature_store import Team

team = Team("growth", slack_channel="#growth-features", email="growth@example.com")
