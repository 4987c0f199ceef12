"""The live half of stream views: events are played into their streams, as a consumer of the topic would append them.

A stream begins where the oldest batch tiles online end. Whoever plays, plays everything from there on: events have ids,
so those that the stream knows already change nothing, whatever played them and however it ended.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Self

import polars as pl

from feature_assets.project import load_declarations
from feature_assets.raw.clock import now
from feature_assets.raw.completejourney import RawData
from feature_store import FeatureView
from feature_store.offline.materialize.reach import floor_to
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import from_microseconds, to_microseconds
from resources.branch import open_store
from resources.online import running_url
from resources.settings import Settings
from serving.stores.errors import StoreUnavailableError, StreamTakenOverError
from serving.stores.open_store import open_loader
from serving.streams.events import source_of
from serving.streams.writer import StreamWriter

PORTION: Final = timedelta(hours=1)
"""The rows appended at once of what arrived long ago."""

HEARTBEAT: Final = timedelta(minutes=1)
"""The interval at which a stream is told that nothing arrived."""

_PAUSE: Final = 2.0
_AFTER_FAILURE: Final = 30.0


class LivePurchases:
    """Plays purchases into the stream of one view, which keeps a copy offline. A writer that was at work is stopped.

    Args:
        url: of the online store.
        view: a stream view of purchases.
        store: holds the copy.
    """

    def __init__(self, url: str, view: FeatureView, store: OfflineStore) -> None:
        source = source_of(view)
        since = stream_start(url, view)
        self._time = pl.col(source.event_time)
        rows = RawData.current().transactions().filter(self._time >= since).select(list(source.columns))
        self._rows = rows.sort(source.event_time).collect()
        self._played, self._told = since, since
        self._writer = StreamWriter(url, view, since=since, offline=store)
        self._writer.prune()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def is_due(self) -> bool:
        """Whether an event has arrived that was not played, or the stream was told nothing for a while."""
        return datetime.now(UTC) - self._told >= HEARTBEAT or not self._between(self._played, now()).is_empty()

    def play(self) -> int:
        """Append what has arrived since, in order and in portions, and tell the stream that this is all up to now.

        Returns:
            How many of the events the stream did not know.
        """
        arrived, present = now(), datetime.now(UTC)
        new = 0
        while self._played < arrived:
            until = min(self._played + PORTION, arrived)
            portion = self._between(self._played, until)
            if not portion.is_empty():
                new += self._writer.append(portion).events
            self._played = until
        # Readers go by the real clock, wherever the data's own stands still.
        self._writer.append(self._rows.clear(), until=present)
        self._told = present
        return new

    def _between(self, start: datetime, end: datetime) -> pl.DataFrame:
        return self._rows.filter((self._time >= start) & (self._time < end))


def stream_start(url: str, view: FeatureView) -> datetime:
    """Return where the oldest batch tiles online end; without any, the end of the last whole partition."""
    with closing(open_loader(url)) as writer:
        ends = [generation.as_of for generation in writer.generations(view.full_name)]
    return from_microseconds(min(ends, default=floor_to(to_microseconds(now()), view.cadence)))


def live_views(views: Iterable[FeatureView]) -> list[FeatureView]:
    """Return the views that have a stream."""
    return [view for view in views if view.is_stream]


def main() -> None:
    """Play into the online store of the settings what arrives, until it is stopped; what ``make dev`` runs."""
    settings = Settings.from_environment()
    url = running_url(settings)
    store = open_store(settings)
    views = live_views(load_declarations().views.values())
    while True:
        try:
            _play_forever(url, views, store)
        except (StreamTakenOverError, StoreUnavailableError) as error:
            print(f"live purchases: {error}; going on in {_AFTER_FAILURE:.0f} s", file=sys.stderr, flush=True)
            time.sleep(_AFTER_FAILURE)


def _play_forever(url: str, views: Iterable[FeatureView], store: OfflineStore) -> None:
    with ExitStack() as stack:
        playing = [stack.enter_context(LivePurchases(url, view, store)) for view in views]
        while True:
            for purchases in playing:
                if purchases.is_due():
                    purchases.play()
            time.sleep(_PAUSE)


if __name__ == "__main__":
    main()
