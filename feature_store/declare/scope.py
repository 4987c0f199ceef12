"""The scope of a feature: what it is checked against in its view, and the checks that every kind of feature shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from feature_store.checks.declared import check_deprecated, check_name
from feature_store.constants import check_default, default_json
from feature_store.declare.drafts import FeatureDraft, replace_drafts
from feature_store.dtypes import Array, DType
from feature_store.errors import DefinitionError
from feature_store.expressions.checked_types import check_depth, declared_dtype
from feature_store.expressions.nodes import Expression, Literal, RequestRef, walk
from feature_store.fingerprints import fingerprint
from feature_store.model.aggregations import Aggregation
from feature_store.model.entities import Entity
from feature_store.model.features import Feature
from feature_store.model.service_levels import Cycle, check_freshness
from feature_store.model.sources import Source
from feature_store.model.views import OTHER_VIEW, FeatureRef, FeatureView, ViewSelection


@dataclass(frozen=True)
class ViewScope:
    """A view as its features see it.

    Attributes:
        place: the view, for messages.
        entity, source: of the view.
        cadence, freshness: of the view, microseconds; the second None: none is promised.
        cycle: how old the view's values can be, at the least.
        start: start of the view's first partition, UTC.
        identity: what determines the values of every feature of the view, as JSON.
        names: feature names by ``id`` of their draft.
        drafts: the features as written, by name.
        deprecated: why and until when the whole view is; None: it is not.
    """

    place: str
    entity: Entity
    source: Source
    cadence: int
    cycle: Cycle
    freshness: int | None
    start: datetime
    identity: object
    names: Mapping[int, str]
    drafts: Mapping[str, FeatureDraft]
    deprecated: str | None = None

    def place_of(self, name: str) -> str:
        """Return how messages name a feature."""
        return f"{self.place}.{name}"


def over_features(scope: ViewScope, name: str, expression: Expression) -> Expression:
    """Return an expression of a feature over others, in which those stand as columns."""
    check_depth(scope.place_of(name), expression)
    check_no_other_view(scope.place_of(name), expression)
    try:
        return replace_drafts(expression, scope.names)
    except KeyError:
        raise DefinitionError(scope.place_of(name), "reads a feature of another view", OTHER_VIEW) from None


def check_no_other_view(place: str, expression: Expression) -> None:
    """Refuse what another view declares, or selects for a service, where a value should stand."""
    for node in walk(expression):
        if isinstance(node, RequestRef):
            problem = f"reads request({node.name!r}), which nobody knows before a service is asked"
            raise DefinitionError(place, problem, "write it in a service: request_feature(name, expression)")
        if isinstance(node, FeatureRef):
            raise DefinitionError(place, f"reads {node.view.full_name}.{node.name}, of another view", OTHER_VIEW)
        value = node.value if isinstance(node, Literal) else None
        if isinstance(value, Feature | FeatureView | ViewSelection):
            what = getattr(value, "full_name", None) or getattr(value, "name", None) or "view[...]"
            raise DefinitionError(place, f"reads {what}, of another view", OTHER_VIEW)


def checked_feature(
    scope: ViewScope,
    name: str,
    inferred: DType,
    definition: object,
    *,
    aggregation: Aggregation | None = None,
    expression: Expression | None = None,
    on_read: str | None = None,
    reads: tuple[str, ...] = (),
    freshness: int | None = None,
) -> Feature:
    """Return a feature of the view, once the options that all features have are checked.

    Args:
        scope: the view.
        name: of the feature.
        inferred: type of its values, of one slot where they are arrays.
        definition: what determines its values besides the view, its type and its default, as JSON.
        aggregation: of an aggregate.
        expression: of a field or a derived feature.
        on_read: the function of an on-read feature.
        reads: the features that a derived or on-read feature reads.
        freshness: its SLA if it declares none, microseconds; None: the view's.
    """
    place, draft = scope.place_of(name), scope.drafts[name]
    element = declared_dtype(place, draft.dtype, inferred)
    default = check_default(place, draft.default, element)
    length = None if aggregation is None else aggregation.length
    dtype = element if length is None else Array(element, length)
    freshness = scope.freshness if freshness is None else freshness
    if draft.freshness is not None:
        freshness = check_freshness(place, draft.freshness, scope.cycle)
    _check_renamed_from(scope, place, draft.renamed_from)
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
        deprecated=scope.deprecated if draft.deprecated is None else check_deprecated(place, draft.deprecated),
    )


def _check_renamed_from(scope: ViewScope, place: str, former: str | None) -> None:
    if former is None:
        return
    check_name(place, former)
    written = f"renamed_from={former!r}"
    if former in scope.drafts:
        raise DefinitionError(place, f"{written} is still a feature of the view", "name a feature that is gone")
    if former in scope.entity.keys:
        raise DefinitionError(place, f"{written} is a key of {scope.entity.name}", "name a former feature")
    for name, draft in scope.drafts.items():
        if draft.renamed_from == former and scope.place_of(name) != place:
            raise DefinitionError(place, f"{written} is that of {name} too", "name it in one of them")
