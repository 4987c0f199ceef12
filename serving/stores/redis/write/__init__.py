"""Writing rows to Redis."""
