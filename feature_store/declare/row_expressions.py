"""Checks expressions over the columns of a view's source: what aggregates count and fields hold."""

from __future__ import annotations

from feature_store.checks.declared import one_of, shown
from feature_store.declare.drafts import FeatureDraft
from feature_store.declare.scope import ViewScope, check_no_other_view
from feature_store.dtypes import DType
from feature_store.errors import DefinitionError
from feature_store.expressions.checked_types import check_depth, checked_dtype
from feature_store.expressions.nodes import ColumnRef, Expression, column_names, replace_columns, walk
from feature_store.model.sources import TableSource, key_column


def over_rows(scope: ViewScope, name: str, what: str, expression: object) -> tuple[Expression, DType]:
    """Return an expression of a feature over source columns, with the types of those, and its own type.

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
        raise DefinitionError(place, f"{what} is not an expression but {shown(expression)}", hint)
    check_depth(place, expression)
    check_no_other_view(place, expression)
    for node in walk(expression):
        if isinstance(node, FeatureDraft):
            read = scope.names.get(id(node), "of another view")
            raise DefinitionError(
                place, f"{what} reads the feature {read}, not a source column", "use derive(...) on features"
            )
        if isinstance(node, ColumnRef):
            _check_column(scope, name, node.name)
    columns = scope.source.columns
    dtype = checked_dtype(place, expression, columns, what)
    return replace_columns(expression, lambda column: ColumnRef(column, columns[column])), dtype


def row_order(scope: ViewScope, expression: Expression) -> object:
    """Return which columns of a table can decide the value of an expression over its latest row, as JSON.

    Rows that tie are ordered by the columns in declared order, and rows that are equal in all up to the last one that
    is read, or that ends rows, are alike: so a column that is added to the end of a source changes no feature.
    """
    source = scope.source
    assert isinstance(source, TableSource)
    keys = [key_column(source, key) for key in scope.entity.keys]
    order = [name for name in source.columns if name not in (*keys, source.time, source.sequence)]
    read = {*column_names(expression), source.deleted, source.valid_to}
    last = max((place for place, name in enumerate(order) if name in read), default=-1)
    return [[name, source.columns[name].name] for name in order[: last + 1]]


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
