"""What both stores hold against values recomputed from raw rows: equal as they are, and planted differences found."""
