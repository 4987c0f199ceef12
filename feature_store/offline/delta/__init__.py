"""How tables lie in Delta Lake: commits, paths, types, hashes, compaction."""
