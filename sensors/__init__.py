"""What watches the store and tells Slack: freshness, drift, late data, streams."""
