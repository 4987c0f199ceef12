"""Tables in Delta Lake: commits, paths, types, hashes, compaction."""
