"""Declarations as commands see them: a team that is broken is named on stderr, and the others go on."""

from __future__ import annotations

import sys

from feature_assets.project import Declarations, load_declarations


def declared() -> Declarations:
    """Return what the project declares, and say on stderr, in a line each, what is left out."""
    found = load_declarations()
    for broken in found.broken:
        sys.stderr.write(f"features: {broken}\n")
    return found
