"""Questions to a store, and what was read: the same for every store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feature_store.codec.byte_strings import Ragged
from serving.stores.generations import Generation
from serving.stores.streams import Stream


@dataclass(frozen=True)
class RowsWanted:
    """The entities of one view that are asked for, as encoded keys; of a stream view both rows of each."""

    view: str
    entities: Ragged
    is_stream: bool = False


@dataclass(frozen=True)
class RowsRead:
    """The answer of a store for one view.

    Attributes:
        generation: the one that was read; None: none is usable at T, or a stream view has no stream yet.
        rows: a row, or None, per entity asked for.
        stream: of a stream view, its stream; None: no writer was ever at work.
        stream_rows: its row, or None, per entity asked for.
    """

    generation: Generation | None
    rows: Sequence[bytes | None]
    stream: Stream | None = None
    stream_rows: Sequence[bytes | None] = ()

    def take(self, start: int, stop: int) -> RowsRead:
        """Return what was read of entities ``start`` to ``stop`` (exclusive)."""
        return RowsRead(self.generation, self.rows[start:stop], self.stream, self.stream_rows[start:stop])
