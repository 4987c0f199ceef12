"""Row-level and derived expressions: their tree, their types and their spellings."""
