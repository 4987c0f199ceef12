"""Sketches of distinct values and of percentiles."""
