"""Merchandising: decides what is on the shelf and at which price."""
