"""Embedding tables: a fixed-length vector for each of the keys that are known when a feature is declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from feature_store.checks.calls import declared_by_call
from feature_store.checks.declared import check_name, check_type
from feature_store.checks.frozen import FrozenMapping
from feature_store.errors import DefinitionError

_LARGEST_FLOAT32: Final = float(np.finfo(np.float32).max)


@declared_by_call
@dataclass(frozen=True, eq=False)
class EmbeddingTable:
    """A declared table of vectors, by key.

    Attributes:
        name: how it is named in the catalog.
        vectors: one vector per key, all of one length, of finite Float32; keys all Int64 or all String.

    Raises:
        DefinitionError: the keys are of several types, or the vectors of several lengths or not finite.

    >>> EmbeddingTable("brands", {"Private": [0.0, 1.0], "National": [1.0, 0.0]}).sorted_vectors()
    {'National': (1.0, 0.0), 'Private': (0.0, 1.0)}
    """

    name: str
    vectors: Mapping[int, Sequence[float]] | Mapping[str, Sequence[float]]

    def __post_init__(self) -> None:
        where = f"embedding table {self.name}"
        check_name(where, self.name)
        check_type(where, "vectors", self.vectors, Mapping, "give one vector per key: {'DELI': [0.1, 0.9]}")
        if not self.vectors:
            raise DefinitionError(where, "has no vectors", "give at least one, by key")
        types = sorted({type(key).__name__ for key in self.vectors})
        if types not in (["int"], ["str"]):
            raise DefinitionError(where, f"has keys of type {' and '.join(types)}", "use only int or only str keys")
        for key, vector in self.vectors.items():
            check_type(where, f"the vector of {key!r}", vector, (Sequence, np.ndarray), "give a list of numbers")
        bad = [key for key, vector in self.vectors.items() if not _fits_float32(vector)]
        if bad:
            raise DefinitionError(
                where, f"the vector of {bad[0]!r} is not of finite Float32 numbers", "correct it, or leave the key out"
            )
        lengths = sorted({len(vector) for vector in self.vectors.values()})
        if len(lengths) > 1 or lengths[0] == 0:
            raise DefinitionError(where, f"has vectors of length {' and '.join(map(str, lengths))}", "use one length")
        # Nobody can change what was checked.
        vectors = {key: tuple(map(float, vector)) for key, vector in self.vectors.items()}
        object.__setattr__(self, "vectors", FrozenMapping(vectors))

    def sorted_vectors(self) -> dict[int | str, tuple[float, ...]]:
        """Return the vectors in order of their keys, so that the order of declaration plays no part."""
        vectors: dict[int | str, Sequence[float]] = dict(self.vectors.items())
        return {key: tuple(float(x) for x in vectors[key]) for key in sorted(vectors, key=lambda key: (str(key), key))}


def _fits_float32(vector: Sequence[float]) -> bool:
    try:
        values = np.asarray(vector)
    except ValueError:  # nested lists of several lengths
        return False
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iuf"):
        return False
    return bool((np.abs(values.astype(np.float64)) <= _LARGEST_FLOAT32).all())
