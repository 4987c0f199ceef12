"""When something counts: spans, instants, windows, tiles of time."""
