"""Checks that all public functions and declarations share: names, options, arguments, calls."""
