"""Reads the features that stand in the body of a view's class, by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from feature_store.checks.declared import STORED_COLUMNS, check_description, check_name
from feature_store.declare.drafts import WRITTEN, FeatureDraft
from feature_store.errors import DefinitionError
from feature_store.expressions.nodes import Expression
from feature_store.model.entities import Entity
from feature_store.model.features import Feature


def written_features(where: str, entity: Entity, body: type) -> dict[str, FeatureDraft]:
    """Return the features of a class body by name, in order.

    Args:
        where: the view, for messages.
        entity: what the view describes; its keys are taken as names.
        body: the class.

    Raises:
        DefinitionError: something in the body is no feature, or has no good name or description of its own.
    """
    drafts: dict[str, FeatureDraft] = {}
    names: dict[int, str] = {}
    for name, value in vars(body).items():
        if name.startswith("__") and not isinstance(value, FeatureDraft):
            continue
        draft = _as_feature(f"{where}.{name}", value)
        _check_feature_name(f"{where}.{name}", entity, name)
        if id(draft) in names:
            raise DefinitionError(f"{where}.{name}", f"is the same feature as {names[id(draft)]}", "declare it once")
        check_description(f"{where}.{name}", draft.description)
        names[id(draft)] = name
        drafts[name] = draft
    _check_none_is_lost(where, names, vars(body))
    for name in inspect.get_annotations(body):
        if name not in drafts:
            raise DefinitionError(f"{where}.{name}", "has a type but no value", f"write {name} = ..., or leave it out")
    if not drafts:
        raise DefinitionError(where, "has no features", "declare at least one in the class body")
    return drafts


def _as_feature(where: str, value: object) -> FeatureDraft:
    if isinstance(value, FeatureDraft):
        return value
    if isinstance(value, Expression):
        raise DefinitionError(where, "is an expression, not a feature", "wrap it in derive(...) or field(...)")
    if isinstance(value, Feature):
        raise DefinitionError(where, "is a feature of another view, already declared", "declare it again here")
    raise DefinitionError(where, f"is of type {type(value).__name__}, not a feature", "move it out of the class")


def _check_feature_name(where: str, entity: Entity, name: str) -> None:
    check_name(where, name)
    if name in entity.keys:
        raise DefinitionError(where, f"is called like a key of {entity.name}", "give the feature another name")
    if name in STORED_COLUMNS:
        raise DefinitionError(where, f"{name!r} is a column of every stored view", "give the feature another name")


def _check_none_is_lost(where: str, names: Mapping[int, str], body: Mapping[str, Any]) -> None:
    for draft, line in body.get(WRITTEN, ()):
        if id(draft) not in names:
            raise DefinitionError(
                where,
                f"the feature written on line {line} has no name: it stands inside another one, "
                "or a later line takes its name",
                "give every feature a line and a name of its own",
            )
