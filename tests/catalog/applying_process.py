"""``python -m tests.catalog.applying_process URL TEAM ROUNDS``: applies a growing view; a line per revision."""

from __future__ import annotations

import sys

from feature_store.catalog.store import Catalog
from tests.catalog.declared import NOW, feature, view


def main(url: str, team: str, rounds: int) -> None:
    """Apply the view with one, two, ... features."""
    catalog = Catalog(url)
    for count in range(1, rounds + 1):
        features = [feature(f"f{number}") for number in range(count)]
        applied = catalog.apply({team: [view(f"shops/{team}/v1", features, owner=team)]}, by=team, now=NOW)
        sys.stdout.write(f"{applied.revision}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
