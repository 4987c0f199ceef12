"""The project's present instant."""

from __future__ import annotations

from datetime import UTC, datetime

from feature_assets.project.teams import import_of_project
from resources.project_file import project_file
from resources.settings import Settings


def now() -> datetime:
    """Return the present instant, UTC: of the project's own clock if it has one, else of ``FEATURES_NOW`` or of now."""
    named = project_file().now
    if named is None:
        return Settings.from_environment().fixed_now or datetime.now(UTC)
    module, _, function = named.partition(":")
    return getattr(import_of_project(module), function)()
