"""The clock of the data: a year of the past, moved up by whole weeks until its end is not before now.

So the store is live: what lies before now is landed, and the rest keeps arriving. The shift is decided when the first
rows are landed, and kept, so that later runs agree with what is stored.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feature_store.errors import InputError
from resources.settings import Settings

DATA_START = datetime(2017, 1, 1, tzinfo=UTC)
"""Start of the first day with a transaction, on the original dates."""

DATA_END = datetime(2018, 1, 1, 4, 1, 20, tzinfo=UTC)
"""The last transaction, on the original dates."""

ORIGINAL_NOW = datetime(2018, 1, 2, 6, tzinfo=UTC)
"""What counts as now on the original dates: all data has arrived, and its last day is over."""

HOURLY_DAYS = timedelta(days=14)
"""How far back the hourly landing reaches."""

_WEEK = timedelta(weeks=1)


@dataclass(frozen=True)
class Clock:
    """The shift of the data's dates.

    Attributes:
        weeks: whole weeks that are added to every timestamp.
        hourly_start: start of the hourly landing, a midnight.
        original: whether the data keeps its own dates, and now is ``ORIGINAL_NOW``.
    """

    weeks: int
    hourly_start: datetime
    original: bool

    @property
    def shift(self) -> timedelta:
        """What is added to every timestamp."""
        return self.weeks * _WEEK

    @property
    def history_start(self) -> datetime:
        """Start of the first day with a transaction, a midnight."""
        return DATA_START + self.shift

    @property
    def data_end(self) -> datetime:
        """The last transaction; nothing arrives after it."""
        return DATA_END + self.shift


def decide(now: datetime, *, original: bool) -> Clock:
    """Return the clock for a first landing at ``now``.

    >>> decide(datetime(2018, 1, 1, 4, 2, tzinfo=UTC), original=False).data_end.isoformat()
    '2018-01-08T04:01:20+00:00'
    """
    weeks = 0 if original else max(0, -((DATA_END - now) // _WEEK))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Clock(weeks, midnight - HOURLY_DAYS, original)


@functools.cache
def clock() -> Clock:
    """Return the clock of this process: the kept one; before the first landing, the one that landing now would keep.

    Raises:
        InputError: what is kept does not fit ``FEATURES_CLOCK``.
    """
    settings = Settings.from_environment()
    kept = read_kept(_file(settings))
    if kept is None:
        return decide(now(), original=settings.original_clock)
    if kept.original != settings.original_clock:
        wanted = "original" if kept.original else "live"
        raise InputError(
            f"{settings.state} was filled with FEATURES_CLOCK={wanted}: set that, or another FEATURES_STATE, "
            "or start over with `make clean`"
        )
    return kept


def keep(mine: Clock, file: Path) -> None:
    """Keep the clock of this process for all later ones. Whoever keeps one first decides.

    Raises:
        InputError: another process has kept another clock since this one started.
    """
    kept = read_kept(file)
    if kept is None:
        _write_once(mine, file)
        kept = read_kept(file)
    if kept != mine:
        raise InputError(
            f"{file} holds another clock than this process began with, since another process landed data first: "
            "start this process again (in the UI: reload the code location)"
        )


def keep_clock() -> None:
    """Keep the clock of this process in the state folder; see ``keep``."""
    keep(clock(), _file(Settings.from_environment()))


def now() -> datetime:
    """Return the present instant, UTC; on the original dates, ``ORIGINAL_NOW``."""
    settings = Settings.from_environment()
    if settings.fixed_now is not None:
        return settings.fixed_now
    return ORIGINAL_NOW if settings.original_clock else datetime.now(UTC)


def partitions_end() -> datetime | None:
    """Return where partitions end if now stands still; None: they go on with the time."""
    settings = Settings.from_environment()
    return now() if settings.original_clock or settings.fixed_now is not None else None


def has_run_dry() -> bool:
    """Return whether all data has arrived, so that newer partitions stay empty until the state is built anew."""
    return now() > clock().data_end


def read_kept(file: Path) -> Clock | None:
    """Return a kept clock, or None if none is kept."""
    if not file.exists():
        return None
    record = json.loads(file.read_text())
    return Clock(record["weeks"], datetime.fromisoformat(record["hourly_start"]), record["original"])


def _write_once(mine: Clock, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    record = asdict(mine) | {"hourly_start": mine.hourly_start.isoformat()}
    with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=file.name) as written:
        written.write(json.dumps(record))
        written.flush()
        try:
            # A link appears whole, and never replaces what another process has kept meanwhile.
            os.link(written.name, file)
        except FileExistsError:
            return


def _file(settings: Settings) -> Path:
    return settings.state / "clock.json"
