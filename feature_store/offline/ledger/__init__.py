"""The ledger: the partitions of a view that exist, and since when."""
