"""``catalog backup`` and ``catalog restore``: the whole catalog, to a file and back."""

from __future__ import annotations

from pathlib import Path

from feature_assets.cli.output import print_line
from feature_store.catalog.backup import read_backup, write_backup
from feature_store.catalog.database import open_engine
from resources.settings import Settings


def backup(file: Path) -> None:
    """Write the project's catalog to a file."""
    revision = write_backup(open_engine(Settings.from_environment().catalog_url), file)
    print_line(f"{file}: the catalog as of revision {revision}")


def restore(file: Path) -> None:
    """Fill the project's catalog, which must be empty, from a file."""
    revision = read_backup(open_engine(Settings.from_environment().catalog_url), file)
    print_line(f"The catalog is at revision {revision}. `features plans sync` gives servers its plans.")
