"""The instants asked for on the command line: ``--at 2017-06-01T00:00:00Z``."""

from __future__ import annotations

from datetime import UTC, datetime

from feature_store.errors import InputError


def parse_time(text: str, option: str = "--at") -> datetime:
    """Return an instant in UTC.

    Args:
        text: ISO 8601 with a zone.
        option: how messages name it.

    Raises:
        InputError: it is no instant, or has no zone.

    >>> parse_time("2017-06-01T02:00:00+02:00").isoformat()
    '2017-06-01T00:00:00+00:00'
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text!r} is not a time: write 2017-06-01T00:00:00Z") from None
    if instant.tzinfo is None:
        raise InputError(f"{option} {text!r} has no time zone: write 2017-06-01T00:00:00Z")
    return instant.astimezone(UTC)
