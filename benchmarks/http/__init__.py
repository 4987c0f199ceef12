"""The HTTP server beside a minimal one and beside one that does nothing."""
