"""Values and instants as people read them."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def plain_text(value: Any) -> str:
    """Return a value as people read it: instants as ISO 8601, lists with null for what they lack.

    >>> plain_text([0.5, None]), plain_text(True), plain_text("a")
    ('[0.5, null]', 'True', 'a')
    """
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, list):
        return f"[{', '.join(map(plain_text, value))}]"
    return repr(value) if isinstance(value, float) else str(value)


def iso(instant: datetime) -> str:
    """Return an instant of UTC as people write it: ``2017-06-01T00:00:00Z``."""
    return instant.isoformat().removesuffix("+00:00") + "Z"
