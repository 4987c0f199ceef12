"""Damaged rows that this process has met: each is served as null, so somebody has to hear of them."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final

_logger: Final = logging.getLogger("serving.read")
_counts: Final[Counter[str]] = Counter()


def count_damaged(view: str, rows: int) -> None:
    """Count damaged rows that were read, each as often as it was read; the first of a view is logged.

    Args:
        view: full name of the view.
        rows: how many.
    """
    if view not in _counts:
        _logger.error("%s: rows in the online store are damaged: load the view's newest snapshot again", view)
    _counts[view] += rows


def damaged_rows() -> dict[str, int]:
    """Return by view how many damaged rows this process has read since it started."""
    return dict(_counts)
