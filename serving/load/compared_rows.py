"""The rows of one generation, or stream, in the online store, compared with those that belong there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from feature_store.codec.byte_strings import Ragged, from_list
from feature_store.codec.key_codec import encode_keys
from feature_store.columns import Mask
from feature_store.dtypes import DType
from serving.stores.errors import StoreError
from serving.stores.generations import Generation
from serving.stores.snapshot import Chunk, in_steps
from serving.stores.store import OnlineInspector
from serving.stores.streams import Stream

Told = Callable[[int], None]
"""Called with the number of entities that were looked at."""


class RowsGoneError(StoreError):
    """Nothing vouches for the rows of a generation any more: they were dropped, or lost."""


@dataclass(frozen=True)
class Differences:
    """The differences that rows were found to have, by number.

    Attributes:
        rows: entities that were looked at.
        damaged: whose rows are not what was written for them.
        missing: who have none.
        other: whose rows are sound, and of other values than were to be written.
    """

    rows: int = 0
    damaged: int = 0
    missing: int = 0
    other: int = 0

    def __add__(self, more: Differences) -> Differences:
        return Differences(
            self.rows + more.rows, self.damaged + more.damaged, self.missing + more.missing, self.other + more.other
        )

    def problems(self, origin: str) -> list[str]:
        """Return the differences in words; ``origin`` is what the rows were compared with."""
        told = [
            (self.damaged, "damaged, so their entities read as DAMAGED"),
            (self.missing, "missing, so their entities read as EMPTY"),
            (self.other, f"of other values than {origin}"),
        ]
        return [f"{count:,} of {self.rows:,} rows are {what}" for count, what in told if count]


def compare_rows(
    inspector: OnlineInspector,
    generation: Generation,
    chunks: Iterable[Chunk],
    dtypes: Sequence[DType],
    share: float,
    told: Told,
) -> Differences:
    """Compare the rows of a generation with what it was loaded from.

    Args:
        inspector: of the store.
        generation: one of its generations.
        chunks: what it was loaded from.
        dtypes: of the keys.
        share: of the entities that is compared, at random; 1: all.
        told: called after each step.

    Raises:
        RowsGoneError: the generation was dropped meanwhile, or lost its rows.
    """
    found, random = Differences(), np.random.default_rng()
    for keys, features in in_steps(chunks):
        entities = encode_keys(keys, dtypes).keys
        expected = features if isinstance(features, Ragged) else generation.layout.encode(features, entities)
        chosen = random.random(len(entities)) < share
        found += _compare(inspector, generation, entities.select(chosen), expected.select(chosen))
        told(len(entities))
    return found


def check_rows(
    inspector: OnlineInspector, owner: Generation | Stream, entities: Iterable[Ragged], told: Told
) -> Differences:
    """Compare rows with their own checksums alone.

    Raises:
        RowsGoneError: as ``compare_rows``.
    """
    found = Differences()
    for piece in entities:
        rows = _rows(inspector, owner, piece)
        damaged = np.count_nonzero(_damaged(owner, rows, piece))
        found += Differences(len(rows), int(damaged), rows.count(None))
        told(len(rows))
    return found


def some_of(entities: Iterable[Ragged], sample: int | None) -> Iterator[Ragged]:
    """Yield pieces of entities until there are as many as in a sample; None: all."""
    seen = 0
    for piece in entities:
        if sample is not None and seen >= sample:
            return
        seen += len(piece)
        yield piece


def _compare(inspector: OnlineInspector, generation: Generation, entities: Ragged, expected: Ragged) -> Differences:
    rows, wanted = _rows(inspector, generation, entities), expected.to_list()
    if rows == wanted:
        return Differences(len(rows))
    differing = np.fromiter((row != own for row, own in zip(rows, wanted, strict=True)), np.bool_, len(rows))
    left, keys = [rows[place] for place in np.flatnonzero(differing)], entities.select(differing)
    damaged, missing = int(np.count_nonzero(_damaged(generation, left, keys))), left.count(None)
    # A row of the former format holds the same values in other bytes.
    renewed = zip(_renewed(generation, left, keys), expected.select(differing).to_list(), strict=True)
    same = sum(row == own for row, own in renewed)
    return Differences(len(rows), damaged, missing, len(left) - damaged - missing - same)


def _rows(inspector: OnlineInspector, owner: Generation | Stream, entities: Ragged) -> list[bytes | None]:
    rows = inspector.rows(owner, entities)
    if rows is None:
        raise RowsGoneError(f"nothing vouches for the rows of {owner.id} any more")
    return rows


def _damaged(owner: Generation | Stream, rows: Sequence[bytes | None], keys: Ragged) -> Mask:
    tiles = owner.layout if isinstance(owner, Stream) else owner.tiles
    if tiles is not None:
        return tiles.decode(rows, keys).damaged
    assert isinstance(owner, Generation)
    return owner.layout.decode(rows, keys, owner.as_of).damaged


def _renewed(generation: Generation, rows: Sequence[bytes | None], keys: Ragged) -> list[bytes]:
    """Return rows as they are written now; empty where there is none that can be read."""
    if generation.tiles is not None:
        read = generation.tiles.decode(rows, keys)
        since = np.zeros(len(rows), np.int64)
        since[read.present] = read.complete_since
        written, present = generation.tiles.encode(read.tiles, since, keys), read.present
    else:
        decoded = generation.layout.decode(rows, keys, generation.as_of)
        written, present = generation.layout.encode(decoded.columns, keys), decoded.present
    return from_list([row if there else b"" for row, there in zip(written.to_list(), present, strict=True)]).to_list()
