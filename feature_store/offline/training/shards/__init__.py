"""Training sets that no single process holds: joined shard by shard of entities, put together day by day."""
