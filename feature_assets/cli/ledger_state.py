"""The ledger's entries of a view, if anything of it was ever computed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_store.offline.delta.paths import ledger_uri, view_uri
from resources.settings import Settings


def ledger_state(settings: Settings, view: str, wanted: Mapping[str, str]) -> dict[str, Any] | None:
    """Return how many partitions hold the values of a view, and its newest one.

    Args:
        settings: say where the offline store is.
        view: its full name.
        wanted: fingerprints by name of the stored features that count as they are now.

    Returns:
        ``partitions``, ``out_of_date`` (partitions computed by another definition), ``newest_as_of``,
        ``newest_available_at``, ``newest_rows``, ``published_at``; None if there is no store or no partition.
    """
    if not is_stored(settings, view):
        return None
    # Here and not above: with an empty store, a command needs neither Delta nor Polars, and starts at once.
    from resources.branch import open_store  # noqa: PLC0415

    store = open_store(settings)
    partitions = store.stored_values(view).ledger.partitions().to_dicts()
    if not partitions:
        return None
    stored = [json.loads(partition["fingerprints"]) for partition in partitions]
    newest = partitions[-1]
    return {
        "partitions": len(partitions),
        "out_of_date": sum(any(have.get(name) != mark for name, mark in wanted.items()) for have in stored),
        "newest_as_of": _iso(newest["as_of"]),
        "newest_available_at": _iso(newest["available_at"]),
        "newest_rows": newest["rows"],
        "published_at": _iso(newest["published_at"]),
    }


def is_stored(settings: Settings, view: str) -> bool:
    """Return whether anything of a view may be stored: on a disk one can see, else it may."""
    root = settings.offline_root
    return bool(settings.branch) or "://" in root or Path(ledger_uri(view_uri(root, view, "values"))).exists()


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()
