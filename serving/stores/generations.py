"""The pointer of a view: which generations are live, which of them is served at T, which can go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from feature_store.codec.row_codec import RowLayout
from feature_store.codec.tile_codec import TileLayout
from feature_store.temporal.availability import first_use, is_usable
from serving.stores.records import Sealed, seal, unseal

READER_LAG: Final = 60_000_000
"""The most a reader's clock may be behind the store's, microseconds: so long a generation outlives its succession."""


@dataclass(frozen=True)
class Generation:
    """One loaded copy of a snapshot. Instants are microseconds UTC.

    Attributes:
        id: its number, unique in the store; the larger of two was loaded later.
        as_of: the instant its values describe.
        available_at: it is served to requests after this instant.
        published_at: when it could first be served: the later of ``available_at`` and ``loaded_at``.
        loaded_at: when its last row was written.
        rows: how many entities it holds.
        content_hash: of the snapshot, to know it again.
        layout: of its rows; of a stream view, its features when the tiles were loaded.
        tiles: of a stream view, the layout of the tiles that its rows are.
        known_from: of a stream view, by state and level of its tiles, the instant from which on everything up to the
            as-of is known; see ``feature_store.plans.known_spans``.
    """

    id: int
    as_of: int
    available_at: int
    published_at: int
    loaded_at: int
    rows: int
    content_hash: str
    layout: RowLayout
    tiles: TileLayout | None = None
    known_from: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def rank(self) -> tuple[int, int]:
        """Of two usable generations the one of higher rank is served."""
        return self.as_of, self.id

    @property
    def voucher(self) -> bytes:
        """The value under the generation's bare row prefix while all its rows are there.

        It differs even from that of a generation with the same id, as a server that was emptied counts from 1 again.
        """
        return b"%d:%d" % (self.as_of, self.loaded_at)


_PLAIN: Final = tuple(each.name for each in fields(Generation) if each.name not in ("layout", "tiles", "known_from"))
"""The fields of a record that are JSON already."""


def encode_generations(view: str, generations: Iterable[Generation]) -> tuple[bytes, bytes]:
    """Return a view's pointer, and its digest."""
    return seal(_owner(view), [_record(each) for each in generations])


def decode_generations(view: str, pointer: Sealed) -> tuple[Generation, ...]:
    """Read a view's pointer; a view that was never loaded has none.

    Raises:
        DamagedListError: it is none, not the one that was written last, or gone.
    """
    return unseal(_owner(view), pointer, lambda records: tuple(map(_generation, records))) or ()


def _owner(view: str) -> str:
    return f"{view} generations"


def _record(generation: Generation) -> dict[str, Any]:
    tiles: dict[str, Any] = {}
    if generation.tiles is not None:
        tiles = {"tiles": generation.tiles.to_record(), "known_from": dict(generation.known_from)}
    return {**{name: getattr(generation, name) for name in _PLAIN}, "layout": generation.layout.to_record(), **tiles}


def _generation(record: dict[str, Any]) -> Generation:
    plain = {name: record[name] for name in _PLAIN}
    tiles = TileLayout.from_record(record["tiles"]) if "tiles" in record else None
    layout, known_from = RowLayout.from_record(record["layout"]), record.get("known_from", {})
    return Generation(**plain, layout=layout, tiles=tiles, known_from=known_from)


def select(generations: Iterable[Generation], time: int) -> Generation | None:
    """Return the generation served at T: the newest as-of that was available strictly before T."""
    usable = (each for each in generations if is_usable(each.available_at, time))
    return max(usable, key=lambda each: each.rank, default=None)


def outdated(generations: Iterable[Generation], time: int) -> list[Generation]:
    """Return the generations that no reader whose clock is at ``time``, less ``READER_LAG``, or later is served from.

    The one of the highest rank comes first.
    """
    listed, oldest = list(generations), time - READER_LAG
    behind = [
        each
        for each in listed
        for reached in [max(first_use(each.available_at), oldest)]
        if any(other.rank > each.rank and is_usable(other.available_at, reached) for other in listed)
    ]
    return sorted(behind, key=lambda each: each.rank, reverse=True)
