"""Instants and ages asked for on the command line: ``--at 2026-01-31T06:00:00Z``, ``--max-age 2d``."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from feature_store.errors import InputError
from feature_store.temporal.durations import DurationError, parse_duration


def parse_time(text: str, what: str = "--at") -> datetime:
    """Return an instant in UTC.

    Args:
        text: ISO 8601 with a zone.
        what: how messages name it.

    Raises:
        InputError: it is no instant, or has no zone.

    >>> parse_time("2017-06-01T02:00:00+02:00").isoformat()
    '2017-06-01T00:00:00+00:00'
    """
    instant = _read(text)
    if instant is None or instant.tzinfo is None:
        raise not_an_instant(text, what)
    return instant.astimezone(UTC)


def parse_start(text: str, option: str) -> datetime:
    """Return an instant in UTC; of a day its start.

    >>> parse_start("2013-03-01", "--from").isoformat()
    '2013-03-01T00:00:00+00:00'
    """
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        return parse_time(text, option)


def parse_age(text: str | None, what: str = "--max-age") -> timedelta | None:
    """Return an age; None: none was asked for.

    Raises:
        InputError: it is no duration.

    >>> parse_age("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    try:
        return None if text is None else timedelta(microseconds=parse_duration(text))
    except DurationError as error:
        raise InputError(f"{what}: {error}") from error


def not_an_instant(text: str, what: str) -> InputError:
    """Return the error of a text that is no instant: it lacks a zone, or is no time at all.

    >>> str(not_an_instant("2017-06-01 06:00", "--at"))
    "--at '2017-06-01 06:00' has no time zone: write 2017-06-01T06:00:00Z"
    """
    naive = _read(text)
    if naive is None or naive.tzinfo is not None:
        return InputError(f"{what} {text!r} is not a time: write it like 2026-01-31T06:00:00Z")
    return InputError(f"{what} {text!r} has no time zone: write {naive.isoformat()}Z")


def _read(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
