"""Reading rows from Redis."""
