"""Time: when something counts. Spans, instants, windows, tiles."""
