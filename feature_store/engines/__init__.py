"""Engines: each computes the same values from the same declaration."""
