"""Point-in-time joins of a spine with views."""
