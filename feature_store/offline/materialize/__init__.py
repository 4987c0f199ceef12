"""From raw rows to tiles to values, partition by partition."""
