"""Judgements of stored values: how fresh they are. What asks the stores, and who is told, stand above."""
