"""Compiled plans: all that a server needs to know of services and stream views to answer."""
