"""The stores team."""

from __future__ import annotations

from feature_store import Team

team = Team("stores", slack_channel="#stores-features", email="stores@example.com")
