"""From the offline store to the online store."""
