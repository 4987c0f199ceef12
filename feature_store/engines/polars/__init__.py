"""The single-machine engine, on Polars."""
