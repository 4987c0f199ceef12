"""Turns one feature as written into a checked, typed, fingerprinted ``Feature``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from feature_store.aggregate_options import check_buckets, check_half_life, check_k, check_q
from feature_store.aggregations import KINDS, Aggregation
from feature_store.checks import check_name, one_of
from feature_store.drafts import AggregateDraft, DerivedDraft, FeatureDraft, FieldDraft, OnReadDraft, replace_drafts
from feature_store.dtypes import Array, Boolean, DType, Float64, Int64, Timestamp
from feature_store.entities import Entity
from feature_store.errors import DefinitionError
from feature_store.expressions.nodes import (
    ColumnRef,
    Expression,
    Literal,
    Scalar,
    column_names,
    rename_columns,
    walk,
)
from feature_store.expressions.operations import ExpressionTypeError, infer_dtype
from feature_store.expressions.text import to_canonical
from feature_store.features import Feature
from feature_store.fingerprints import fingerprint
from feature_store.service_levels import Cycle, check_freshness
from feature_store.sources import EventSource, Source
from feature_store.values import check_default, check_dtype, default_json
from feature_store.window_compiler import compile_window


@dataclass(frozen=True)
class ViewScope:
    """What the features of one view are checked against, and those that are done.

    Attributes:
        where: the view, for messages.
        entity, source: of the view.
        cadence, freshness: of the view, microseconds.
        cycle: how old the view's values can be, at the least.
        start: start of the view's first partition, UTC.
        identity: what determines the values of every feature of the view, as JSON.
        names: feature names by ``id`` of their draft.
        drafts: the features as written, by name.
        done: the features compiled so far; it fills up.
    """

    where: str
    entity: Entity
    source: Source
    cadence: int
    cycle: Cycle
    freshness: int
    start: datetime
    identity: object
    names: Mapping[int, str]
    drafts: Mapping[str, FeatureDraft]
    done: dict[str, Feature]


def compile_aggregate(scope: ViewScope, name: str, draft: AggregateDraft) -> Feature:
    """Return an aggregate feature."""
    where = f"{scope.where}.{name}"
    if not isinstance(scope.source, EventSource):
        raise DefinitionError(
            where, f"aggregates, but {scope.source.name} is a table source", "use field(...), or an event source"
        )
    dtype = _result_dtype(scope, name, draft)
    if draft.k is not None and draft.default is not None:
        raise DefinitionError(
            where, f"{draft.kind} with default={draft.default!r}", "leave it out: slots without a value are null"
        )
    if draft.where is not None:
        _check_condition(scope, name, "where=", draft.where)
    aggregation = Aggregation(
        draft.kind,
        draft.value,
        compile_window(where, draft.over, draft.hop, cadence=scope.cadence, start=scope.start, source=scope.source),
        draft.where,
        k=check_k(where, draft.kind, draft.k) if draft.kind in ("first_k", "last_k", "top_k") else None,
        q=check_q(where, draft.q) if draft.kind == "approx_percentile" else None,
        half_life=check_half_life(where, draft.half_life) if draft.kind == "decayed_sum" else None,
        denominator=draft.denominator,
        by=draft.by,
        buckets=_buckets(scope, name, draft),
    )
    return _feature(scope, name, draft, dtype, ["aggregate", aggregation.canonical()], aggregation=aggregation)


def _result_dtype(scope: ViewScope, name: str, draft: AggregateDraft) -> DType:
    """Return the type of an aggregate's value, of one slot where that is an array."""
    if draft.kind == "count_ratio":
        _check_condition(scope, name, "the numerator of count_ratio", draft.value)
        _check_condition(scope, name, "the denominator of count_ratio", draft.denominator)
    value_dtype = None
    if draft.value is not None or draft.kind != "count":
        value_dtype = _row_dtype(scope, name, f"the value of {draft.kind}", draft.value)
    try:
        return KINDS[draft.kind].result(value_dtype)
    except TypeError as error:
        problem = str(error)
    raise DefinitionError(f"{scope.where}.{name}", problem, "aggregate another expression, or .cast(...) it")


def _check_condition(scope: ViewScope, name: str, what: str, condition: object) -> None:
    dtype = _row_dtype(scope, name, what, condition)
    if dtype != Boolean:
        option = what if what.endswith("=") else ""
        raise DefinitionError(
            f"{scope.where}.{name}", f"{what} is {dtype}, not Boolean", f"compare: {option}col('x') > 0"
        )


def _buckets(scope: ViewScope, name: str, draft: AggregateDraft) -> tuple[Scalar, ...]:
    where = f"{scope.where}.{name}"
    if draft.by is None and draft.buckets is None:
        return ()
    if draft.by is None:
        raise DefinitionError(where, "buckets= without by=", "give by=, the value that tells the buckets apart")
    return check_buckets(where, draft.buckets, _row_dtype(scope, name, "by=", draft.by))


def compile_field(scope: ViewScope, name: str, draft: FieldDraft) -> Feature:
    """Return a feature that is a value of a table's row."""
    where = f"{scope.where}.{name}"
    if isinstance(scope.source, EventSource):
        raise DefinitionError(
            where,
            f"is a field, but {scope.source.name} is an event source",
            "aggregate it: last(...), or use a table source",
        )
    expression = ColumnRef(name) if draft.expression is None else draft.expression
    dtype = _row_dtype(scope, name, "the field", expression)
    return _feature(scope, name, draft, dtype, ["field", to_canonical(expression)], expression=expression)


def compile_derived(scope: ViewScope, name: str, draft: DerivedDraft, path: tuple[str, ...] = ()) -> Feature:
    """Return a derived feature, compiling those it reads first; ``path`` leads from the first one to this."""
    where = f"{scope.where}.{name}"
    if name in scope.done:
        return scope.done[name]
    if name in path:
        cycle = " -> ".join((*path[path.index(name) :], name))
        raise DefinitionError(where, f"reads itself: {cycle}", "break the cycle")
    expression = _over_features(scope, where, draft.expression)
    reads = column_names(expression)
    if not reads:
        constant = f", it is {draft.expression.value!r}" if isinstance(draft.expression, Literal) else ""
        raise DefinitionError(
            where,
            f"reads no feature of the view{constant}",
            "derive it from features, by variable or as col('feature')",
        )
    features = {read: _derived_input(scope, where, read, (*path, name)) for read in reads}
    dtype = _infer(where, expression, {read: feature.dtype for read, feature in features.items()})
    by_fingerprint = rename_columns(expression, {read: feature.fingerprint for read, feature in features.items()})
    definition = ["derived", to_canonical(by_fingerprint)]
    scope.done[name] = _feature(scope, name, draft, dtype, definition, expression=expression, reads=tuple(reads))
    return scope.done[name]


def compile_on_read(scope: ViewScope, name: str, draft: OnReadDraft) -> Feature:
    """Return an on-read feature; ``draft.read`` None: of T itself."""
    where = f"{scope.where}.{name}"
    dtype = Float64 if draft.function == "days_since" else Int64
    if draft.read is None:
        return _feature(scope, name, draft, dtype, ["on-read", draft.function, None], on_read=draft.function)
    read = _over_features(scope, where, draft.read)
    stored = scope.done.get(read.name) if isinstance(read, ColumnRef) else None
    if stored is None or not stored.is_stored:
        raise DefinitionError(
            where,
            f"{draft.function} does not read a stored feature of the view",
            f"write {draft.function}(<feature>), and derive or aggregate that first",
        )
    if stored.dtype != Timestamp:
        raise DefinitionError(
            where, f"{draft.function} reads {stored.name}, which is {stored.dtype}", "give it a Timestamp feature"
        )
    definition = ["on-read", draft.function, stored.fingerprint]
    return _feature(scope, name, draft, dtype, definition, on_read=draft.function, reads=(stored.name,))


def _over_features(scope: ViewScope, where: str, expression: Expression) -> Expression:
    try:
        return replace_drafts(expression, scope.names)
    except KeyError:
        instead = "declare both in one view; features across views belong in the feature service"
        raise DefinitionError(where, "reads a feature of another view", instead) from None


def _derived_input(scope: ViewScope, where: str, read: str, path: tuple[str, ...]) -> Feature:
    draft = scope.drafts.get(read)
    if draft is None:
        column = ", but a column of the source" if read in scope.source.columns else ""
        problem = f"reads {read!r}, which is not a feature of the view{column}"
        raise DefinitionError(where, problem, "aggregate it first" if column else one_of(read, scope.drafts))
    if isinstance(draft, OnReadDraft):
        raise DefinitionError(
            where, f"reads {read!r}, which is computed only when read", "derive it from stored features"
        )
    return compile_derived(scope, read, draft, path) if isinstance(draft, DerivedDraft) else scope.done[read]


def _row_dtype(scope: ViewScope, name: str, what: str, expression: object) -> DType:
    where = f"{scope.where}.{name}"
    if not isinstance(expression, Expression):
        hint = (
            f"write col({expression!r})"
            if isinstance(expression, str) and expression.isidentifier()
            else "write an expression such as col('x')"
        )
        raise DefinitionError(where, f"{what} is not an expression but {expression!r}", hint)
    for node in walk(expression):
        if isinstance(node, FeatureDraft):
            read = scope.names.get(id(node), "of another view")
            raise DefinitionError(
                where, f"{what} reads the feature {read}, not a source column", "use derive(...) on features"
            )
        if isinstance(node, ColumnRef):
            _check_column(scope, name, node.name)
    return _infer(where, expression, scope.source.columns)


def _check_column(scope: ViewScope, name: str, column: str) -> None:
    if column in scope.source.columns:
        return
    where = f"{scope.where}.{name}"
    if column in scope.drafts and column != name:
        raise DefinitionError(
            where, f"reads {column!r}, a feature of the view, not a source column", "use derive(...) on features"
        )
    problem = f"unknown column {column!r} of source {scope.source.name}"
    raise DefinitionError(where, problem, one_of(column, scope.source.columns))


def _infer(where: str, expression: Expression, schema: Mapping[str, DType]) -> DType:
    try:
        dtype = infer_dtype(expression, schema)
    except ExpressionTypeError as error:
        raise DefinitionError(where, error.problem, error.instead) from None
    if dtype is None:
        raise DefinitionError(where, "is always null", "write an expression that has a type")
    return dtype


def _feature(
    scope: ViewScope,
    name: str,
    draft: FeatureDraft,
    inferred: DType,
    definition: object,
    *,
    aggregation: Aggregation | None = None,
    expression: Expression | None = None,
    on_read: str | None = None,
    reads: tuple[str, ...] = (),
) -> Feature:
    where = f"{scope.where}.{name}"
    element = check_dtype(where, draft.dtype, inferred)
    default = check_default(where, draft.default, element)
    length = None if aggregation is None else aggregation.length
    dtype = element if length is None else Array(element, length)
    freshness = scope.freshness
    if draft.freshness is not None:
        freshness = check_freshness(where, draft.freshness, scope.cycle)
    _check_renamed_from(scope, where, draft.renamed_from)
    return Feature(
        name=name,
        dtype=dtype,
        description=draft.description.strip(),
        freshness=freshness,
        fingerprint=fingerprint([scope.identity, definition, dtype.name, default_json(default)]),
        default=default,
        renamed_from=draft.renamed_from,
        aggregation=aggregation,
        expression=expression,
        on_read=on_read,
        reads=reads,
    )


def _check_renamed_from(scope: ViewScope, where: str, former: str | None) -> None:
    if former is None:
        return
    check_name(where, former)
    if former in scope.drafts:
        raise DefinitionError(
            where, f"renamed_from={former!r} is still a feature of the view", "name a feature that is no longer there"
        )
