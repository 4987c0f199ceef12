"""The functions users start expressions with: ``col``, ``lit``, ``when``, the encodings, lookups and distances."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from feature_store.checks.calls import declares
from feature_store.checks.declared import check_type
from feature_store.dtypes import Int64
from feature_store.expressions.embeddings import EmbeddingTable
from feature_store.expressions.lookups import LookupTable
from feature_store.expressions.nodes import (
    ColumnRef,
    Expression,
    Literal,
    Operand,
    Operation,
    Option,
    Scalar,
    as_expression,
    members,
    operation,
)

__all__ = [
    "EmbeddingTable",
    "LookupTable",
    "bucketise",
    "col",
    "cosine",
    "dot",
    "embed",
    "lit",
    "lookup",
    "one_hot",
    "ordinal",
    "when",
]


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
def bucketise(value: Operand, boundaries: Operand | Sequence[Operand]) -> Operation:
    """Return how many boundaries are at or below the value: bucket i is ``b[i-1] <= value < b[i]``.

    Args:
        value: a number.
        boundaries: rising numbers; or expressions among them, or a single one: then anything that can be compared with
            the value, in any order, and where one of them is null, so is the result.
    """
    listed = [boundaries] if isinstance(boundaries, Expression) else boundaries
    places = members(listed)
    if isinstance(places, tuple) and any(isinstance(place, Expression) for place in places):
        return _places_at_or_below(value, cast("tuple[Operand, ...]", places))
    if isinstance(places, tuple):
        # Huge integers have no float; they are refused with the feature's name.
        places = tuple(float(p) if type(p) is int and abs(p) < 2**1023 else p for p in places)
    return operation("bucketise", value, options={"boundaries": places})


def _places_at_or_below(value: Operand, boundaries: Sequence[Operand]) -> Operation:
    reached = [(as_expression(each) <= value).cast(Int64) for each in boundaries]
    return functools.reduce(lambda left, right: left + right, reached)


@declares
def embed(value: Operand, table: EmbeddingTable) -> Operation:
    """Return the vector of a key; null for a key that the table lacks and for null."""
    check_type("embed(...)", "table", table, EmbeddingTable, "declare EmbeddingTable(name, vectors) and give that")
    vectors: Mapping[int | str, tuple[float, ...]] = table.sorted_vectors()
    options: dict[str, Option] = {"table": table.name, "keys": tuple(vectors), "vectors": tuple(vectors.values())}
    return operation("embed", value, options=options)


@declares
def lookup(value: Operand, table: LookupTable) -> Operation:
    """Return what a table gives for a key; null for a key that the table lacks and for null."""
    check_type("lookup(...)", "table", table, LookupTable, "declare LookupTable(name, values) and give that")
    values = table.sorted_values()
    options: dict[str, Option] = {"table": table.name, "keys": tuple(values), "values": tuple(values.values())}
    return operation("lookup", value, options=options)


@declares
def dot(left: Operand, right: Operand) -> Operation:
    """Return the dot product of two vectors of one length, Float64; its terms are added from the first to the last."""
    return operation("dot", left, right)


@declares
def cosine(left: Operand, right: Operand) -> Operation:
    """Return the cosine of the angle between two vectors, ``dot(a, b) / sqrt(dot(a, a) * dot(b, b))``, Float64.

    Null where a vector has no length.
    """
    return operation("cosine", left, right)
