"""The functions that declare what a service computes when it is read."""

from __future__ import annotations

from feature_store.checks.calls import declares
from feature_store.checks.declared import check_description, check_name, check_type
from feature_store.declare.drafts import DerivedDraft, FeatureDraft, OnReadDraft
from feature_store.dtypes import DType
from feature_store.errors import DefinitionError
from feature_store.expressions.checked_types import check_depth
from feature_store.expressions.nodes import Expression, Literal, Operand, RequestRef, as_expression, replace_leaves
from feature_store.model.request_features import RequestFeature, refuse_other_leaves
from feature_store.model.views import FeatureRef, ViewSelection


@declares
def request(name: str) -> RequestRef:
    """Return an input of a service: a value that comes with the request, in training a column of the spine."""
    check_type("request(...)", "name", name, str, "write the name of one input: request('amount')")
    return RequestRef(name)


@declares
def request_feature(
    name: str, expression: Operand, *, description: str = "", dtype: DType | None = None
) -> RequestFeature:
    """Return a feature that a service computes when it is read, from inputs and from features of its views.

    It stands among the service's ``features=``, where its place in the answer is. Its status is the worst of those of
    the features that it reads, and where one of them has no value for a reason (DAMAGED, NOT_COMPUTED, EXPIRED) it is
    null, whatever the expression says. It is EMPTY where all of them are, and PRESENT if it reads inputs alone.

    Args:
        name: of the output, as it is called in answers and training sets.
        expression: over ``request("input")`` and ``View.feature``; also what ``ratio`` and ``derive`` give.
        description: one line for the catalog; if left out, that of a ``ratio`` or ``derive``.
        dtype: Float32 to narrow a Float64; otherwise inferred.

    >>> request_feature("twice", request("amount") * 2, description="Twice the amount").name
    'twice'
    """
    check_name(f"request_feature({name!r})", name)
    place = f"request feature {name}"
    if isinstance(expression, DerivedDraft):
        _refuse_stored_options(place, expression)
        description, dtype = description or expression.description, dtype or expression.dtype
    check_description(place, description)
    check_depth(place, as_expression(expression))
    plain = replace_leaves(as_expression(expression), lambda leaf: _without_draft(place, leaf))
    refuse_other_leaves(place, plain)
    return RequestFeature(name, plain, description, dtype)


def _without_draft(place: str, leaf: Expression) -> Expression:
    """Return the expression of a ``ratio`` or ``derive`` that stands within another one."""
    if isinstance(leaf, Literal) and isinstance(leaf.value, ViewSelection) and len(leaf.value.names) == 1:
        return FeatureRef(leaf.value.view, leaf.value.names[0], leaf.value.role, leaf.value.columns)
    if isinstance(leaf, DerivedDraft):
        check_depth(place, leaf.expression)
        return replace_leaves(leaf.expression, lambda inner: _without_draft(place, inner))
    if isinstance(leaf, OnReadDraft):
        instead = "declare it in a view and read it as View.feature; of an input take .hour() or .weekday()"
        raise DefinitionError(place, f"reads {leaf.function}(...) without a view", instead)
    if isinstance(leaf, FeatureDraft):
        raise DefinitionError(place, "reads a feature that no view declares", "write View.feature")
    return leaf


def _refuse_stored_options(place: str, draft: DerivedDraft) -> None:
    for option in ("freshness", "renamed_from"):
        if getattr(draft, option) is not None:
            problem = f"{option}= is an option of stored features"
            raise DefinitionError(place, problem, "leave it out: a request feature is computed when it is read")
