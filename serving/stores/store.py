"""The contract of an online store: what it promises, whatever it is made of.

A store holds, per view, generations (one loaded copy of a snapshot each) and, of a stream view, the rows of its stream.
Its promises, which ``tests/stores`` tries on every store:

- **Whole.** A half-loaded generation is never visible: readers see all rows of a generation or do not see it. A load
  that fails, stalls or dies changes nothing that is served, and its rows go with the next load.
- **One at a time.** Of two loaders of a view one is at work; the other is refused or waits. One that lost its turn
  writes nothing any more, and never publishes.
- **Forward only.** An older snapshot never replaces a newer one, and one that was rejected is not loaded again, until
  its content changes or ``accept`` is called.
- **By the clock.** A generation is served to requests whose T lies strictly after its available-at. The store's own
  clock decides what loaders drop, so that the clock of a loader decides nothing.
- **Complete.** A generation is published when the rows that the store acknowledged are as many as the snapshot's.
- **Loud.** A read of a generation whose rows were dropped, or lost, fails, or is answered from a newer one: it never
  reads as EMPTY. An entity reads as EMPTY only where the generation is whole and does not hold it.
- **One A.** What a read returns of a view is of one generation, and of one stream.
- **All of an entity or nothing.** A stream writer's rows of an entity, with the ids of its events, are written
  together; a writer that another took over from writes nothing any more.

How rows lie in the store, and how they are bucketed, is its own affair; their bytes are ``feature_store.codec``'s.
Every method raises ``StoreUnavailableError`` where the store does not answer (``StoreFullError`` where it has no room),
and tells URLs without their passwords.
Instants are microseconds UTC. ``serving.stores.open_store`` opens a store by URL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from feature_store.codec.byte_strings import Ragged
from serving.stores.errors import StoreError
from serving.stores.generations import Generation
from serving.stores.rows import RowsRead, RowsWanted
from serving.stores.snapshot import Chunk, Content, LoadReport, RestoreReport, Snapshot
from serving.stores.streams import Stream

READ_TIMEOUT: Final = 2.0
"""Seconds that a reader waits for the store before it gives up."""

WRITE_TIMEOUT: Final = 60.0
"""Seconds that a loader or a stream writer waits: the store may be busy freeing or saving."""

LEASE_SECONDS: Final = 10.0
"""The time that another loader waits for one after its last sign of life."""


class OnlineReader(Protocol):
    """Reads the rows that are served at T, for a thread; several threads may share one."""

    def read(self, wanted: Sequence[RowsWanted], time: int) -> list[RowsRead | StoreError]:
        """Read rows of any number of views, usually in one round trip.

        Args:
            wanted: views and entities; a view may appear more than once.
            time: T.

        Returns:
            In the order of what was wanted, what was read, or why that view cannot be read.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class AsyncOnlineReader(Protocol):
    """``OnlineReader`` for an event loop, which it never blocks; one loop per instance."""

    async def read(self, wanted: Sequence[RowsWanted], time: int) -> list[RowsRead | StoreError]:
        """Read rows; see ``OnlineReader.read``."""
        ...

    async def check(self) -> None:
        """Ask the store for a sign of life, and whether its answers can be relied on.

        Raises:
            StoreUnavailableError: it does not answer.
            StoreError: it may lose rows, e.g. because it evicts them.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class OnlineLoader(Protocol):
    """Loads, restores and drops the generations of views."""

    def generations(self, view: str) -> tuple[Generation, ...]:
        """Return the live generations of a view: the previous one, the served one, those that wait for their time."""
        ...

    def rejected(self, view: str) -> frozenset[Content]:
        """Return the snapshots of a view that were rejected."""
        ...

    def needs(self, view: str, snapshot: Snapshot) -> bool:
        """Return whether ``load`` would write anything."""
        ...

    def load(
        self,
        view: str,
        snapshot: Snapshot,
        chunks: Iterable[Chunk],
        progress: Callable[[int], None] | None = None,
    ) -> LoadReport:
        """Load a snapshot into a new generation and publish it; until then nothing that is served changes.

        Loading the same snapshot again does nothing, and neither does loading one that was rejected.

        Args:
            view: full name of the view, ``namespace/name/vN``.
            snapshot: what is loaded.
            chunks: its entities, each once, in pieces of any size; not consumed when the load is skipped.
            progress: called with the number of rows written so far.

        Raises:
            IncompleteLoadError: the rows are not as many as those of the snapshot.
            InputError: a column does not fit the layout, a key is null, or an entity comes twice.
            LeaseHeldError: another loader is at work on the view.
            LeaseLostError: this process stopped for longer than its lease.
            StoreUnavailableError: the store does not answer.
            StoreError: it may lose rows.
        """
        ...

    def restore(self, view: str, generation: int | None = None) -> RestoreReport:
        """Serve an earlier generation again and reject all newer ones: they are dropped, and not loaded again.

        A snapshot stays rejected until its content changes, or ``accept`` is called. A load at work is stopped.

        Args:
            view: full name of the view.
            generation: one of ``generations(view)``; None: the one before the served one.

        Raises:
            StoreError: the generation is not live, or none before the served one is.
        """
        ...

    def accept(self, view: str) -> frozenset[Content]:
        """Let the snapshots be loaded again that were rejected, and return them."""
        ...

    def drop_view(self, view: str) -> None:
        """Remove everything of a view from the store. A load, or a stream writer, at work is stopped."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class OnlineInspector(Protocol):
    """Looks at all that lies in a store, whatever is served, and believes none of it: for verification."""

    def generations(self, view: str) -> tuple[Generation, ...]:
        """Return the generations of a view that are listed, whether or not their rows are there.

        Raises:
            StoreError: the list cannot be read.
        """
        ...

    def stream(self, view: str) -> Stream | None:
        """Return the stream of a view; None: no writer was ever at work.

        Raises:
            StoreError: its record cannot be read.
        """
        ...

    def rows(self, owner: Generation | Stream, entities: Ragged) -> list[bytes | None] | None:
        """Return the row, or None, of encoded entities; None at all: the rows were dropped, or lost."""
        ...

    def entities(self, view: str, owner: Generation | Stream) -> Iterator[Ragged]:
        """Yield the entities that were written, as the store lists them, in pieces; of a stream one may come twice."""
        ...

    def row_counts(self, progress: Callable[[int, int], None] | None = None) -> Mapping[int, int]:
        """Count, by the id of generation or stream, the rows that there are; one may count twice.

        Args:
            progress: called with the number of keys that were looked at, and of all.
        """
        ...

    def entities_with_rows(self, owner: Generation | Stream) -> Iterator[list[bytes]]:
        """Yield the entities that have a row, listed or not, in pieces; one may come twice."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class StreamRows(Protocol):
    """The rows of one view's stream, taken over for writing: whoever wrote them before writes nothing any more."""

    @property
    def stream(self) -> Stream:
        """The stream that is written."""
        ...

    @property
    def until(self) -> int:
        """Every event of the stream before this instant was written."""
        ...

    def now(self) -> int:
        """Return the present by the store's clock."""
        ...

    def read(self, entities: Ragged) -> list[bytes | None]:
        """Return the row, or None, of encoded entities."""
        ...

    def read_events(self, entities: Ragged) -> list[bytes | None]:
        """Return the ids of the events of encoded entities, packed; None: there are none."""
        ...

    def write(
        self,
        entities: Ragged,
        rows: Sequence[bytes],
        events: Sequence[bytes] | None,
        new: Collection[bytes] = (),
        *,
        append: int | None = None,
        first: int = 0,
    ) -> None:
        """Write the rows of entities, of each all of it or nothing.

        Args:
            entities: encoded, each once.
            rows: one per entity; empty: it has none any more.
            events: the packed ids of their events; None: the source declares no ids.
            new: those of the entities that had no row before, and have one now.
            append: number of the append whose events they hold; with the rows is written how far it has come.
            first: of how many entities, the first ones, that append has written the rows already.

        Raises:
            StreamTakenOverError: another writer took the stream over.
        """
        ...

    def settle(self, append: int) -> int:
        """See to it that nothing an append sent is still under way; return of how many entities it wrote the rows.

        Args:
            append: the number of our append that failed.

        Raises:
            StreamTakenOverError: another writer took the stream over.
        """
        ...

    def complete(self, until: int) -> None:
        """Note down that every event before an instant was written.

        Raises:
            StreamTakenOverError: another writer took the stream over.
        """
        ...

    def oldest_live(self) -> int | None:
        """Return the earliest as-of of a live generation of the view; None: no batch tiles are loaded."""
        ...

    def entities(self) -> Iterator[list[bytes]]:
        """Yield the encoded keys of the entities that have a row, in pieces; one may come more than once."""
        ...

    def forget(self, entities: Sequence[bytes]) -> None:
        """Take entities whose rows are gone off the list that ``entities`` gives."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
