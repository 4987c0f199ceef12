"""The online record of a view's stream: which rows are its, since when it is whole, what its tiles are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from feature_store.codec.tile_codec import TileLayout
from serving.stores.records import Sealed, seal, unseal


@dataclass(frozen=True)
class Stream:
    """The stream of one definition of a view. Instants are microseconds UTC.

    Attributes:
        id: what the keys of its rows start with, unique in the store like the id of a generation.
        since: it holds every event from this instant on, except events that batch tiles already own.
        started_at: when it was begun.
        layout: of its tiles.
    """

    id: int
    since: int
    started_at: int
    layout: TileLayout

    @property
    def voucher(self) -> bytes:
        """The value under the bare row prefix while all its rows are there; see ``Generation.voucher``."""
        return b"stream:%d:%d" % (self.since, self.started_at)


def encode_stream(view: str, stream: Stream) -> tuple[bytes, bytes]:
    """Return the record of a view's stream, and its digest."""
    return seal(_owner(view), {**vars(stream), "layout": stream.layout.to_record()})


def decode_stream(view: str, record: Sealed) -> Stream | None:
    """Read the record of a view's stream; None: no writer was ever at work.

    Raises:
        DamagedListError: it is no such record, not the one that was written last, or gone.
    """
    return unseal(_owner(view), record, lambda parts: _stream(*parts))


def _owner(view: str) -> str:
    return f"{view} stream"


def _stream(record: dict[str, Any]) -> Stream:
    return Stream(record["id"], record["since"], record["started_at"], TileLayout.from_record(record["layout"]))
