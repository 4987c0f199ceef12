"""Turns an aggregate as written into a checked, typed, fingerprinted ``Feature``."""

from __future__ import annotations

from feature_store.checks.declared import shown
from feature_store.declare.aggregate_options import check_buckets, check_half_life, check_k, check_q
from feature_store.declare.compile_window import compile_window
from feature_store.declare.drafts import AggregateDraft
from feature_store.declare.row_expressions import over_rows
from feature_store.declare.scope import ViewScope, checked_feature
from feature_store.dtypes import Boolean, DType, Float64
from feature_store.errors import DefinitionError
from feature_store.expressions.nodes import Expression, Scalar
from feature_store.model.aggregations import Aggregation
from feature_store.model.features import Feature
from feature_store.model.kinds import KINDS
from feature_store.model.sources import EventSource


def compile_aggregate(scope: ViewScope, name: str, draft: AggregateDraft) -> Feature:
    """Return an aggregate feature."""
    place = scope.place_of(name)
    if not isinstance(scope.source, EventSource):
        raise DefinitionError(
            place, f"aggregates, but {scope.source.name} is a table source", "use field(...), or an event source"
        )
    value, dtype = _value(scope, name, draft)
    if draft.k is not None and draft.default is not None:
        problem = f"{draft.function} with default={shown(draft.default)}"
        raise DefinitionError(place, problem, "leave it out: slots without a value are null")
    where = None if draft.where is None else _condition(scope, name, "where=", draft.where)
    by, buckets = _buckets(scope, name, draft)
    own = KINDS[draft.kind].options
    aggregation = Aggregation(
        draft.kind,
        value,
        compile_window(place, draft.over, draft.hop, cadence=scope.cadence, start=scope.start, source=scope.source),
        where,
        k=check_k(place, draft.k) if "k" in own else None,
        q=check_q(place, draft.q) if "q" in own else None,
        half_life=check_half_life(place, draft.half_life) if "half_life" in own else None,
        denominator=_denominator(scope, name, draft),
        by=by,
        buckets=buckets,
    )
    return checked_feature(scope, name, dtype, ["aggregate", aggregation.canonical()], aggregation=aggregation)


def _value(scope: ViewScope, name: str, draft: AggregateDraft) -> tuple[Expression | None, DType]:
    """Return what is aggregated, and the type of the result, of one slot where that is an array."""
    if draft.kind == "count_ratio":
        return _condition(scope, name, "the numerator of count_ratio", draft.value), Float64
    value = dtype = None
    if draft.value is not None or draft.kind != "count":
        value, dtype = over_rows(scope, name, f"the value of {draft.function}", draft.value)
    try:
        return value, KINDS[draft.kind].result(dtype)
    except TypeError as error:
        problem = f"{draft.function} {error}"
    raise DefinitionError(scope.place_of(name), problem, "aggregate another expression, or .cast(...) it")


def _denominator(scope: ViewScope, name: str, draft: AggregateDraft) -> Expression | None:
    if draft.kind != "count_ratio":
        return None
    return _condition(scope, name, "the denominator of count_ratio", draft.denominator)


def _condition(scope: ViewScope, name: str, what: str, written: object) -> Expression:
    condition, dtype = over_rows(scope, name, what, written)
    if dtype != Boolean:
        option = what if what.endswith("=") else ""
        raise DefinitionError(scope.place_of(name), f"{what} is {dtype}, not Boolean", f"compare: {option}col('x') > 0")
    return condition


def _buckets(scope: ViewScope, name: str, draft: AggregateDraft) -> tuple[Expression | None, tuple[Scalar, ...]]:
    """Return what tells buckets apart, and those that have a slot; None, none: all events are counted together."""
    place = scope.place_of(name)
    if draft.by is None and draft.buckets is None:
        return None, ()
    if draft.by is None:
        raise DefinitionError(place, "buckets= without by=", "give by=, the value that tells the buckets apart")
    by, dtype = over_rows(scope, name, "by=", draft.by)
    return by, check_buckets(place, draft.buckets, dtype)
