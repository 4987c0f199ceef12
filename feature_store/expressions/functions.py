"""The functions users start expressions with: ``col``, ``lit``, ``when`` and the encodings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feature_store.checks.calls import declares
from feature_store.checks.declared import check_type
from feature_store.expressions.embeddings import EmbeddingTable
from feature_store.expressions.nodes import ColumnRef, Literal, Operand, Operation, Option, Scalar, members, operation

__all__ = ["EmbeddingTable", "bucketise", "col", "embed", "lit", "one_hot", "ordinal", "when"]


@declares
def col(name: str) -> ColumnRef:
    """Return a column of the view's source, or in a derived feature another feature of the view."""
    check_type("col(...)", "name", name, str, "write the name of one column: col('quantity')")
    return ColumnRef(name)


@declares
def lit(value: Scalar | None) -> Literal:
    """Return a constant."""
    return Literal(value)


@dataclass(frozen=True, repr=False)
class When:
    """The first half of ``when(condition).then(value)``."""

    condition: Operand

    def __repr__(self) -> str:
        return "when(...) without .then(...).otherwise(...)"

    @declares
    def then(self, value: Operand) -> Then:
        """Return ``value`` where the condition is true."""
        return Then(self.condition, value)


@dataclass(frozen=True, repr=False)
class Then:
    """``when(condition).then(value)``, waiting for ``otherwise``."""

    condition: Operand
    value: Operand

    def __repr__(self) -> str:
        return "when(...).then(...) without .otherwise(...)"

    @declares
    def otherwise(self, value: Operand) -> Operation:
        """Return ``value`` where the condition is false or null."""
        return operation("when", self.condition, self.value, value)


@declares
def when(condition: Operand) -> When:
    """Start ``when(condition).then(a).otherwise(b)``."""
    return When(condition)


@declares
def one_hot(value: Operand, categories: Sequence[int | str]) -> Operation:
    """Return a vector with a 1 at the place of the value's category; all zeros for any other value and for null."""
    return operation("one_hot", value, options={"categories": members(categories)})


@declares
def ordinal(value: Operand, categories: Sequence[int | str]) -> Operation:
    """Return the place of the value in ``categories``, from 0; null for any other value and for null."""
    return operation("ordinal", value, options={"categories": members(categories)})


@declares
def bucketise(value: Operand, boundaries: Sequence[float]) -> Operation:
    """Return how many boundaries are at or below the value: bucket i is ``b[i-1] <= value < b[i]``."""
    places = members(boundaries)
    if isinstance(places, tuple):
        # Huge integers have no float; they are refused with the feature's name.
        places = tuple(float(p) if type(p) is int and abs(p) < 2**1023 else p for p in places)
    return operation("bucketise", value, options={"boundaries": places})


@declares
def embed(value: Operand, table: EmbeddingTable) -> Operation:
    """Return the vector of a key; null for a key that the table lacks and for null."""
    check_type("embed(...)", "table", table, EmbeddingTable, "declare EmbeddingTable(name, vectors) and give that")
    vectors: Mapping[int | str, tuple[float, ...]] = table.sorted_vectors()
    options: dict[str, Option] = {"table": table.name, "keys": tuple(vectors), "vectors": tuple(vectors.values())}
    return operation("embed", value, options=options)
