"""The error that a stage of a backfill failed."""

from __future__ import annotations

from feature_store.errors import CarriedError


class StageError(CarriedError):
    """A stage failed; the cause says why."""

    def __init__(self, title: str) -> None:
        super().__init__(f"The stage {title!r}")
