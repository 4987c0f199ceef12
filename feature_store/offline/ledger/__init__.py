"""Which partitions of a view exist, and since when."""
