"""Watchers of the store, who tell Slack: freshness, drift, late data, streams."""
