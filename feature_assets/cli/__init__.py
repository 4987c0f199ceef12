"""The command line: ``features``."""

from feature_assets.cli.app import main

__all__ = ["main"]
