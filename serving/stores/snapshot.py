"""The input of loading: a snapshot, its entities in chunks; and the outcome of a load or a restore."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from feature_store.codec.byte_strings import Ragged
from feature_store.codec.row_codec import RowLayout
from feature_store.codec.tile_codec import TileLayout
from feature_store.columns import Column
from feature_store.temporal.instants import iso_instant
from serving.stores.errors import IncompleteLoadError
from serving.stores.generations import Generation

Chunk = tuple[Sequence[Column], Mapping[str, Column] | Ragged]
"""Key columns in the entity's order, and feature columns by name, of some of a snapshot's entities.

Of a stream view, whose rows are packed tiles, those bytes stand in the place of the features.
"""

Content = tuple[int, str]
"""As-of (microseconds UTC) and content hash: tells one content of one snapshot from all others."""

ROWS_PER_STEP: Final = 16_384
"""Rows encoded at once: bounds the memory of a load whatever the size of its chunks."""


@dataclass(frozen=True)
class Snapshot:
    """The input of a load: the complete values of a view at one as-of.

    Attributes:
        as_of: microseconds UTC.
        available_at: served to requests after this instant, microseconds UTC.
        layout: of the rows; of a stream view, its features.
        content_hash: tells one content of the snapshot from another.
        rows: how many entities it holds: a load of any other number is not published; None: nobody knows beforehand.
        tiles: of a stream view, the layout of the tiles that its rows are.
        known_from: of a stream view, from when on each state and level of its tiles is known; see ``Generation``.
        damaged: generations that were loaded from it, and are known to be no copies of it any more.
    """

    as_of: int
    available_at: int
    layout: RowLayout
    content_hash: str
    rows: int | None = None
    tiles: TileLayout | None = None
    known_from: Mapping[str, int] = field(default_factory=dict[str, int])
    damaged: frozenset[int] = frozenset()

    @property
    def content(self) -> Content:
        """The name it is known by where it was rejected."""
        return self.as_of, self.content_hash

    def is_held_by(self, generation: Generation) -> bool:
        """Whether a generation is a whole copy of this very snapshot."""
        wanted = (self.as_of, self.content_hash, self.layout, self.tiles, self.known_from)
        held = (generation.as_of, generation.content_hash, generation.layout, generation.tiles, generation.known_from)
        return held == wanted and self.rows in (None, generation.rows) and generation.id not in self.damaged

    def replaces(self, generation: Generation) -> bool:
        """Whether a generation that is no copy of this snapshot should be one: it is never to be restored."""
        return generation.id in self.damaged or (generation.as_of, generation.content_hash) == self.content

    def check_rows(self, view: str, written: int) -> None:
        """Refuse to publish a generation that does not hold every entity, or holds others.

        Args:
            view: full name of the view.
            written: the rows that the store acknowledged.

        Raises:
            IncompleteLoadError: they are not as many as those of the snapshot.
        """
        if self.rows not in (None, written):
            raise IncompleteLoadError(
                f"{view} as of {iso_instant(self.as_of)}: {written} rows were read where its ledger promises "
                f"{self.rows}, so it is not published and what was served before stays. A file of this partition is "
                f"damaged or missing: materialize the partition again, then load it"
            )

    def generation(self, number: int, rows: int, loaded_at: int) -> Generation:
        """Return the generation that was loaded from it.

        Args:
            number: id of the generation.
            rows: how many entities it holds.
            loaded_at: when its last row was written, microseconds UTC.
        """
        published_at = max(loaded_at, self.available_at)
        return Generation(
            number,
            self.as_of,
            self.available_at,
            published_at,
            loaded_at,
            rows,
            self.content_hash,
            self.layout,
            self.tiles,
            self.known_from,
        )


@dataclass(frozen=True)
class LoadReport:
    """The outcome of a load.

    Attributes:
        generation: the live generation that holds the snapshot; where another snapshot is served instead, that one.
        as_of: of that generation, microseconds UTC.
        rows: entities in it.
        seconds: time taken.
        skipped: nothing was written: the snapshot is live already, was rejected, or a newer one is served.
        published_at: the instant from which the generation can be served, microseconds UTC.
    """

    generation: int
    as_of: int
    rows: int
    seconds: float
    skipped: bool
    published_at: int


@dataclass(frozen=True)
class RestoreReport:
    """The outcome of a restore.

    Attributes:
        served: the generation that is served again.
        rejected: those that were served instead, or waited for their time.
    """

    served: Generation
    rejected: tuple[Generation, ...]


def in_steps(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield the chunks in pieces of no more than ``ROWS_PER_STEP`` entities."""
    for keys, features in chunks:
        for start in range(0, len(keys[0]), ROWS_PER_STEP):
            piece = slice(start, min(start + ROWS_PER_STEP, len(keys[0])))
            yield [_cut(key, piece) for key in keys], _cut_features(features, piece)


def _cut_features(features: Mapping[str, Column] | Ragged, piece: slice) -> Mapping[str, Column] | Ragged:
    if isinstance(features, Ragged):
        return features.take(piece.start, piece.stop)
    return {name: _cut(column, piece) for name, column in features.items()}


def _cut(column: Column, piece: slice) -> Column:
    return Column(column.values[piece], column.valid[piece])
