"""Watchers of the store, who tell Slack (freshness, damage), and of runs, who tell OpenLineage."""
