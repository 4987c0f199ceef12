"""Every path with what is generated for it, for the tests and for ``python -m tests.spec.run``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.spec.paths import (
    online,
    point_in_time,
    requests,
    shards,
    snapshots,
    stream_offline,
    stream_online,
    tables,
    tiles,
)
from tests.spec.ranges import BOUGHT, EVENT_RANGES, LIVE, TABLE_RANGES
from tests.spec.worlds import Generate, Range, World, event_world, table_world

Check = Callable[[Range, Sequence[World], Random], None]


@dataclass(frozen=True)
class Path:
    """A way by which values come about.

    Attributes:
        check: fails where some worlds' values are not what the oracle says; of online paths, given the server's URL.
        ranges: of the views that it is checked on.
        needs_server: whether ``check`` takes a URL first.
        batch: how many worlds share a store in large runs.
    """

    check: Callable[..., None]
    ranges: Sequence[Range]
    needs_server: bool = False
    batch: int = 500


PATHS: Final = {
    "tiles": Path(tiles.check, EVENT_RANGES),
    "snapshots": Path(snapshots.check, [*EVENT_RANGES, *TABLE_RANGES]),
    "tables": Path(tables.check, TABLE_RANGES),
    "point-in-time": Path(point_in_time.check, [*EVENT_RANGES, *TABLE_RANGES]),
    "shards": Path(shards.check, [*EVENT_RANGES, *TABLE_RANGES, LIVE, BOUGHT], batch=100),
    "stream-offline": Path(stream_offline.check, [LIVE]),
    "stream-online": Path(stream_online.check, [LIVE], needs_server=True, batch=200),
    "online": Path(online.check, [*EVENT_RANGES, *TABLE_RANGES], needs_server=True, batch=200),
    "requests-offline": Path(requests.check, [BOUGHT]),
    "requests-client": Path(requests.check_client, [BOUGHT], needs_server=True, batch=200),
    "requests-http": Path(requests.check_http, [BOUGHT], needs_server=True, batch=200),
}
"""Paths by name."""


def generator(span: Range) -> Generate:
    """Return what generates the worlds of a range."""
    return table_world if span.view.is_table else event_world


def check_of(path: Path, url: str | None) -> Check:
    """Return the check of a path, on a server if it needs one."""
    if not path.needs_server:
        return path.check
    return lambda span, worlds, rng: path.check(url, span, worlds, rng)
