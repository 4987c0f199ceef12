"""A view of households with every kind of value, and ways to load and read it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from feature_store.codec.byte_strings import Ragged
from feature_store.codec.key_codec import encode_keys
from feature_store.codec.row_codec import LayoutField, RowLayout
from feature_store.columns import Column
from feature_store.dtypes import Float32, Int64, String
from serving.stores.generations import Generation
from serving.stores.open_store import open_loader
from serving.stores.rows import RowsRead, RowsWanted
from serving.stores.snapshot import Chunk, LoadReport, Snapshot
from serving.stores.store import OnlineReader

VIEW = "retail/household_spend/v1"
HOUR = 3_600_000_000
DAY = 24 * HOUR
LAYOUT = RowLayout((LayoutField("baskets", Int64, "fp-baskets"), LayoutField("spend", Float32, "fp-spend")))
TEXT_LAYOUT = RowLayout((*LAYOUT.features, LayoutField("segment", String, "fp-segment")))


def now() -> int:
    return time.time_ns() // 1000


def column(values: Sequence[Any], numpy: str = "<i8") -> Column:
    valid = np.array([value is not None for value in values], np.bool_)
    if numpy == "O":
        array = np.empty(len(values), object)
        array[:] = values
        return Column(array, valid)
    return Column(np.array([0 if value is None else value for value in values], numpy), valid)


def chunk(households: Sequence[int], factor: int = 1) -> Chunk:
    """Features that tell the household and the snapshot they belong to: baskets = household x factor."""
    ids = np.array(households, np.int64)
    every = np.ones(len(ids), np.bool_)
    features = {
        "baskets": Column(ids * factor, every),
        "spend": Column((ids / 4).astype("<f4"), every),
        "segment": column([f"s{household % 1000}é" for household in households], "O"),
    }
    return [Column(ids, every)], features


def snapshot(
    as_of: int,
    content: str = "a",
    available_at: int | None = None,
    layout: RowLayout = LAYOUT,
    rows: int | None = None,
) -> Snapshot:
    return Snapshot(as_of, as_of + HOUR if available_at is None else available_at, layout, content, rows)


def load(url: str, households: Sequence[int], taken: Snapshot, factor: int = 1, view: str = VIEW) -> LoadReport:
    writer = open_loader(url)
    try:
        return writer.load(view, taken, [chunk(households, factor)])
    finally:
        writer.close()


def encoded(households: Sequence[int]) -> Ragged:
    return encode_keys([column(households)], [Int64]).keys


def wanted(households: Sequence[int], view: str = VIEW) -> RowsWanted:
    return RowsWanted(view, encoded(households))


def baskets(reader: OnlineReader, households: Sequence[int], at: int | None = None) -> list[int | str | None]:
    """Read ``baskets`` of households; None: EMPTY."""
    (read,) = reader.read([wanted(households)], now() if at is None else at)
    return decoded_baskets(read, households)


def decoded_baskets(read: RowsRead, households: Sequence[int]) -> list[int | str | None]:
    """Return ``baskets`` of the households that were read; None: EMPTY; "damaged": what it says."""
    generation = read.generation
    assert isinstance(generation, Generation), "no generation is usable"
    decoded = generation.layout.decode(read.rows, encoded(households), generation.as_of)
    values: list[int] = decoded.columns["baskets"].values.tolist()
    sound, damaged = decoded.present.tolist(), decoded.damaged.tolist()
    return [
        value if is_sound else "damaged" if is_damaged else None
        for value, is_sound, is_damaged in zip(values, sound, damaged, strict=True)
    ]
