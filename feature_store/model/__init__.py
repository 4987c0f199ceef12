"""Declarations, checked and frozen."""
