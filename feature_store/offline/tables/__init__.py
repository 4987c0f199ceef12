"""The tables of the offline store, and how they are opened."""
