"""The type of an expression as its declaration needs it: what does not fit is refused, with the place it stands at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from feature_store.checks.declared import check_type
from feature_store.dtypes import DType, Float32, Float64
from feature_store.errors import DefinitionError, ExpressionTypeError
from feature_store.expressions.nodes import Expression
from feature_store.expressions.operations import infer_dtype

DEEPEST: Final = 300
"""How many operations may stand within one another: Python, JSON and engines walk through them by recursion."""


def check_depth(place: str, expression: Expression) -> None:
    """Refuse an expression that is too deep, before anything walks through it."""
    if expression.depth > DEEPEST:
        instead = "compute parts of it upstream, or add up many terms in groups: (a + b) + (c + d)"
        raise DefinitionError(place, f"is {expression.depth} operations deep, which is more than {DEEPEST}", instead)


def checked_dtype(place: str, expression: Expression, schema: Mapping[str, DType], what: str = "its value") -> DType:
    """Return the type of an expression over columns of these types; refuse one whose types do not fit."""
    try:
        dtype = infer_dtype(expression, schema)
    except ExpressionTypeError as error:
        raise DefinitionError(place, error.problem, error.instead) from None
    if dtype is None:
        raise DefinitionError(place, f"{what} is always null", "write an expression that has a type")
    return dtype


def declared_dtype(place: str, declared: DType | None, inferred: DType) -> DType:
    """Return the type of a feature: as inferred, or a Float64 declared as Float32."""
    if declared is None:
        return inferred
    check_type(place, "dtype", declared, DType, "use a type of feature_store, e.g. Float32")
    if declared == inferred or (declared, inferred) == (Float32, Float64):
        return declared
    raise DefinitionError(
        place,
        f"dtype={declared}, but its values are {inferred}",
        f"leave out dtype=, or .cast({declared}) in the expression",
    )
