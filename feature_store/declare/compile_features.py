"""Turns features as written into checked, typed, fingerprinted ones, each after those it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Final

from feature_store.checks.declared import one_of, shown
from feature_store.declare.compile_aggregate import compile_aggregate
from feature_store.declare.drafts import AggregateDraft, DerivedDraft, FieldDraft, OnReadDraft
from feature_store.declare.row_expressions import over_rows, row_order
from feature_store.declare.scope import ViewScope, checked_feature, over_features
from feature_store.dtypes import Float64, Int64, Timestamp
from feature_store.errors import DefinitionError
from feature_store.expressions.checked_types import checked_dtype
from feature_store.expressions.nodes import ColumnRef, Expression, Literal, column_names, replace_columns
from feature_store.expressions.text import to_canonical
from feature_store.model.features import OF_T_ALONE, Feature
from feature_store.model.sources import EventSource

Features = Mapping[str, Feature]

MOST_BELOW: Final = 19
"""The most derived features in a row below another: explanations and lineage follow every way down."""


def compile_all(scope: ViewScope) -> dict[str, Feature]:
    """Return every feature of a view by name."""
    done: dict[str, Feature] = {}
    for name, draft in scope.drafts.items():
        if isinstance(draft, AggregateDraft):
            done[name] = compile_aggregate(scope, name, draft)
        elif isinstance(draft, FieldDraft):
            done[name] = _compile_field(scope, name, draft)
    expressions = _derived_expressions(scope)
    for name in _each_after_those_it_reads(scope, expressions):
        done[name] = _compile_derived(scope, name, expressions[name], done)
    for name, draft in scope.drafts.items():
        if isinstance(draft, OnReadDraft):
            done[name] = _compile_on_read(scope, name, draft, done)
    return done


def _compile_field(scope: ViewScope, name: str, draft: FieldDraft) -> Feature:
    if isinstance(scope.source, EventSource):
        raise DefinitionError(
            scope.place_of(name),
            f"is a field, but {scope.source.name} is an event source",
            "aggregate it: last(...), or use a table source",
        )
    written = ColumnRef(name) if draft.expression is None else draft.expression
    expression, dtype = over_rows(scope, name, "the field", written)
    definition = ["field", to_canonical(expression), row_order(scope, expression)]
    return checked_feature(scope, name, dtype, definition, expression=expression)


def _derived_expressions(scope: ViewScope) -> dict[str, Expression]:
    """Return the expressions of the derived features over features of the view, which there all are."""
    expressions: dict[str, Expression] = {}
    for name, draft in scope.drafts.items():
        if isinstance(draft, DerivedDraft):
            expressions[name] = over_features(scope, name, draft.expression)
            _check_reads(scope, name, expressions[name])
    return expressions


def _check_reads(scope: ViewScope, name: str, expression: Expression) -> None:
    place, reads = scope.place_of(name), column_names(expression)
    if not reads:
        constant = f", it is {shown(expression.value)}" if isinstance(expression, Literal) else ""
        instead = "derive it from features, by variable or as col('feature')"
        raise DefinitionError(place, f"reads no feature of the view{constant}", instead)
    for read in reads:
        if read not in scope.drafts:
            column = ", but a column of the source" if read in scope.source.columns else ""
            problem = f"reads {read!r}, which is not a feature of the view{column}"
            raise DefinitionError(place, problem, "aggregate it first" if column else one_of(read, scope.drafts))
        if isinstance(scope.drafts[read], OnReadDraft):
            problem = f"reads {read!r}, which is computed only when read"
            raise DefinitionError(place, problem, "derive it from stored features")


def _each_after_those_it_reads(scope: ViewScope, expressions: Mapping[str, Expression]) -> list[str]:
    reads = {name: [read for read in column_names(each) if read in expressions] for name, each in expressions.items()}
    try:
        order = list(TopologicalSorter(reads).static_order())
        _check_depth(scope, order, reads)
        return order
    except CycleError as error:
        cycle: list[str] = error.args[1][:0:-1]
    first = min(range(len(cycle)), key=lambda place: list(expressions).index(cycle[place]))
    path = " -> ".join([*cycle[first:], *cycle[: first + 1]])
    raise DefinitionError(scope.place_of(cycle[first]), f"reads itself: {path}", "break the cycle")


def _check_depth(scope: ViewScope, order: Sequence[str], reads: Mapping[str, Sequence[str]]) -> None:
    below: dict[str, int] = {}
    for name in order:
        below[name] = max((1 + below[read] for read in reads[name]), default=0)
        if below[name] > MOST_BELOW:
            problem = f"builds on {below[name]} derived features in a row, which is more than {MOST_BELOW}"
            instead = "write more of it in one expression, or compute it upstream"
            raise DefinitionError(scope.place_of(name), problem, instead)


def _compile_derived(scope: ViewScope, name: str, expression: Expression, done: Features) -> Feature:
    reads = tuple(column_names(expression))
    dtype = checked_dtype(scope.place_of(name), expression, {read: done[read].dtype for read in reads})
    by_fingerprint = replace_columns(expression, lambda read: ColumnRef(done[read].fingerprint))
    definition = ["derived", to_canonical(by_fingerprint)]
    return checked_feature(scope, name, dtype, definition, expression=expression, reads=reads)


def _compile_on_read(scope: ViewScope, name: str, draft: OnReadDraft, done: Features) -> Feature:
    place = scope.place_of(name)
    dtype = Float64 if draft.function == "days_since" else Int64
    if draft.read is None and draft.function in OF_T_ALONE:
        return checked_feature(scope, name, dtype, ["on-read", draft.function, None], on_read=draft.function)
    read = over_features(scope, name, draft.read) if isinstance(draft.read, Expression) else None
    stored = done.get(read.name) if isinstance(read, ColumnRef) else None
    if stored is None or not stored.is_stored:
        raise DefinitionError(
            place,
            f"{draft.function} does not read a stored feature of the view",
            f"write {draft.function}(<feature>), and derive or aggregate that first",
        )
    if stored.dtype != Timestamp:
        raise DefinitionError(
            place, f"{draft.function} reads {stored.name}, which is {stored.dtype}", "give it a Timestamp feature"
        )
    definition = ["on-read", draft.function, stored.fingerprint]
    read, sla = (stored.name,), stored.freshness
    return checked_feature(scope, name, dtype, definition, on_read=draft.function, reads=read, freshness=sla)
