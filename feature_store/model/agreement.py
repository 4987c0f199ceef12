"""The agreement of declarations among themselves: each name stands for one thing, and a view has one writer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields

from feature_store.dtypes import DType
from feature_store.errors import DefinitionError
from feature_store.model.entities import Entity
from feature_store.model.services import FeatureService
from feature_store.model.sources import EventSource, TableSource
from feature_store.model.views import FeatureView

_Named = Entity | EventSource | TableSource


def by_name(views: Iterable[FeatureView]) -> dict[str, FeatureView]:
    """Return views by full name.

    Raises:
        DefinitionError: two have one full name, two of their entities or sources have one name and differ, or two
            sources of one asset disagree on ``known_at``.
    """
    named: dict[str, FeatureView] = {}
    for view in views:
        if view.full_name in named:
            raise DefinitionError(view.full_name, "is declared twice", "give one of the views another name or version")
        named[view.full_name] = view
    _refuse_differences("entity", [(view, view.entity) for view in named.values()])
    _refuse_differences("source", [(view, view.source) for view in named.values()])
    check_columns_of_assets(view.source for view in named.values())
    _refuse_other_layouts(named.values())
    return named


def check_columns_of_assets(sources: Iterable[EventSource | TableSource]) -> None:
    """Check that the sources that read one asset declare the columns that they share alike: it is landed once.

    Raises:
        DefinitionError: two differ in the type of a column.
    """
    first: dict[tuple[str, str], tuple[EventSource | TableSource, DType]] = {}
    for source in sources:
        for column, dtype in source.columns.items():
            other, wanted = first.setdefault((source.asset, column), (source, dtype))
            if dtype != wanted:
                problem = (
                    f"column {column!r} of asset {source.asset} is {dtype}, but {wanted} in source {other.name}, "
                    "which reads the same asset"
                )
                instead = f"declare it {wanted} in both and .cast(...) it in expressions, or land another column"
                raise DefinitionError(f"source {source.name}", problem, instead)


def services_by_name(services: Iterable[FeatureService]) -> dict[str, FeatureService]:
    """Return services by full name.

    Raises:
        DefinitionError: two have one full name.
    """
    named: dict[str, FeatureService] = {}
    for service in services:
        if service.full_name in named:
            where = f"service {service.full_name}"
            raise DefinitionError(where, "is declared twice", "give one another name or version")
        named[service.full_name] = service
    return named


def owner_of(views: Sequence[FeatureView]) -> str:
    """Return the team that owns all of some views, of which there is at least one.

    Raises:
        DefinitionError: there are several.
    """
    owned = {view.owner: view.full_name for view in reversed(views)}
    if len(owned) > 1:
        shown = ", ".join(f"{owner} ({view})" for owner, view in sorted(owned.items()))
        problem = f"got views of {len(owned)} owners: {shown}"
        raise DefinitionError("build_feature_assets", problem, "call it once per owner, in the owner's code location")
    return next(iter(owned))


def _refuse_differences(kind: str, used: Iterable[tuple[FeatureView, _Named]]) -> None:
    first: dict[str, tuple[FeatureView, _Named]] = {}
    for view, thing in used:
        other_view, other = first.setdefault(thing.name, (view, thing))
        if other != thing:
            problem = f"{other_view.full_name} and {view.full_name} mean different things: {_difference(other, thing)}"
            raise DefinitionError(f"{kind} {thing.name}", problem, "declare it once, or give one another name")


def _refuse_other_layouts(views: Iterable[FeatureView]) -> None:
    """Refuse sources of one asset, whose rows lie in one table, that say otherwise in which partition a row lies."""
    first: dict[str, FeatureView] = {}
    for view in views:
        other = first.setdefault(view.source.asset, view)
        if _known_at(other) != _known_at(view):
            problem = (
                f"is read with known_at={_known_at(other)!r} by {other.full_name} (source {other.source.name}) and "
                f"with known_at={_known_at(view)!r} by {view.full_name} (source {view.source.name})"
            )
            raise DefinitionError(f"asset {view.source.asset}", problem, "declare the same known_at= in both sources")


def _known_at(view: FeatureView) -> str | None:
    return view.source.known_at if isinstance(view.source, EventSource) else None


def _difference(one: _Named, other: _Named) -> str:
    if type(one) is not type(other):
        return f"{type(one).__name__} and {type(other).__name__}"
    name = next(each.name for each in fields(one) if getattr(one, each.name) != getattr(other, each.name))
    return f"{name} {getattr(one, name)!r} and {getattr(other, name)!r}"
