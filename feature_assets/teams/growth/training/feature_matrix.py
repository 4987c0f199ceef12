"""Feature values as a matrix of numbers, for models that know no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from serving.read.vectors import FeatureVectors

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FeatureMatrix:
    """How columns become numbers, learned once from the training rows and used again when scoring.

    Numbers and Booleans stay, a vector becomes one column per element, a string its place among the strings seen in
    training. Nulls and unknown strings are NaN.

    Attributes:
        columns: the features, in the order of the matrix.
        categories: the strings seen in training, by string column.
        lengths: elements of a vector, by vector column.
    """

    columns: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    lengths: Mapping[str, int]

    @staticmethod
    def fit(frame: pl.DataFrame, columns: Sequence[str]) -> FeatureMatrix:
        """Learn from training rows. Timestamps are no feature of a model: use ``days_since``."""
        categories = {
            name: tuple(sorted(frame[name].drop_nulls().unique()))
            for name in columns
            if frame.schema[name] == pl.String
        }
        lengths = {name: _length(frame[name]) for name in columns if frame.schema[name].is_nested()}
        return FeatureMatrix(tuple(columns), categories, lengths)

    @property
    def names(self) -> list[str]:
        """Name of each column of the matrix."""
        return [
            name if name not in self.lengths else f"{name}[{place}]"
            for name in self.columns
            for place in range(self.lengths.get(name, 1))
        ]

    @property
    def categorical(self) -> list[bool]:
        """Whether a column of the matrix holds places in a list, not amounts."""
        return [name in self.categories for name in self.names]

    def transform(self, frame: pl.DataFrame) -> Matrix:
        """Return rows as numbers, shape ``(rows, len(names))``."""
        parts = [expression for name in self.columns for expression in self._expressions(name)]
        return frame.select(parts).to_numpy().astype(np.float64)

    def _expressions(self, name: str) -> list[pl.Expr]:
        if name in self.lengths:
            elements = pl.col(name).cast(pl.List(pl.Float64))
            return [elements.list.get(i, null_on_oob=True).alias(f"{name}[{i}]") for i in range(self.lengths[name])]
        if name in self.categories:
            places = {category: float(place) for place, category in enumerate(self.categories[name])}
            return [pl.col(name).replace_strict(places, default=None, return_dtype=pl.Float64)]
        return [pl.col(name).cast(pl.Float64)]


def served_frame(vectors: FeatureVectors) -> pl.DataFrame:
    """Return served features as a frame, one row per entity: the columns that a training set has."""
    table = pl.from_arrow(vectors.to_arrow())
    assert isinstance(table, pl.DataFrame)
    return table.select(*vectors.keys, *vectors.columns)


def _length(column: pl.Series) -> int:
    return int(column.cast(pl.List(pl.Float64)).list.len().max() or 0)  # pyright: ignore[reportArgumentType]
