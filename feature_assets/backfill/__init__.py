"""Backfills: what a view, or a source, lacks in a range of time is landed, computed and loaded, without a daemon."""
