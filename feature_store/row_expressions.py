"""Checks expressions over the columns of a view's source: what aggregates count and fields hold."""

from __future__ import annotations

from feature_store.checks import one_of
from feature_store.drafts import FeatureDraft
from feature_store.dtypes import DType
from feature_store.errors import DefinitionError
from feature_store.expressions.nodes import ColumnRef, Expression, walk
from feature_store.feature_scope import ViewScope, checked_dtype


def row_dtype(scope: ViewScope, name: str, what: str, expression: object) -> DType:
    """Return the type of an expression of a feature over source columns.

    Args:
        scope: the view.
        name: of the feature.
        what: what the expression is to it, for messages.
        expression: as written.
    """
    place = scope.place_of(name)
    if not isinstance(expression, Expression):
        hint = (
            f"write col({expression!r})"
            if isinstance(expression, str) and expression.isidentifier()
            else "write an expression such as col('x')"
        )
        raise DefinitionError(place, f"{what} is not an expression but {expression!r}", hint)
    for node in walk(expression):
        if isinstance(node, FeatureDraft):
            read = scope.names.get(id(node), "of another view")
            raise DefinitionError(
                place, f"{what} reads the feature {read}, not a source column", "use derive(...) on features"
            )
        if isinstance(node, ColumnRef):
            _check_column(scope, name, node.name)
    return checked_dtype(place, expression, scope.source.columns)


def _check_column(scope: ViewScope, name: str, column: str) -> None:
    if column in scope.source.columns:
        return
    place = scope.place_of(name)
    if column in scope.drafts and column != name:
        raise DefinitionError(
            place, f"reads {column!r}, a feature of the view, not a source column", "use derive(...) on features"
        )
    problem = f"unknown column {column!r} of source {scope.source.name}"
    raise DefinitionError(place, problem, one_of(column, scope.source.columns))
