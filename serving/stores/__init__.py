"""The online store: its contract, the stores that keep it, and the generations that readers switch by clock."""
