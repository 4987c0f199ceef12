"""``history``, ``lineage``, ``impact`` and ``similar``: what the catalog tells of one name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from feature_assets.cli.changes_text import change_record, joined
from feature_assets.cli.known import known_definitions
from feature_assets.cli.output import print_fields, print_json, print_line, print_table
from feature_assets.project.recorded import opened_catalog
from feature_store.catalog.affected import affected_of
from feature_store.catalog.changes import compare
from feature_store.catalog.lineage import Lineage, Node, lineage_of
from feature_store.catalog.names import find_named
from feature_store.catalog.rows import Revision, Version
from feature_store.catalog.similar import SimilarFeatures
from feature_store.errors import InputError
from resources.settings import Settings


def history(name: str, *, as_json: bool) -> None:
    """Print what changed a view, a feature of one, or a service, the newest change first."""
    settings = Settings.from_environment()
    with opened_catalog(settings) as catalog:
        ever = {(each.kind, each.name): each for each in catalog.ever_declared()}
        named = find_named(ever.values(), name)
        versions = catalog.history(named.definition.kind, named.definition.name)
    wanted = None if named.feature is None else f"{named.definition.name}.{named.feature['name']}"
    events = _events(versions, wanted)
    if as_json:
        print_json(events)
        return
    rows = [
        [event["revision"], event["at"], event["by"], change["change"], change["name"], "; ".join(change["what"])]
        for event in events
        for change in event["changes"]
    ]
    print_table(["revision", "at", "by", "change", "name", "what"], rows)


def lineage(name: str, *, as_json: bool) -> None:
    """Print what a column, feature, view or service is computed from, and what reads it, the nearest first."""
    found, start = _found(name)
    above, below = found.above(start), found.below(start)
    if as_json:
        print_json({"name": start, "above": _records(above), "below": _records(below)})
        return
    for title, nodes in (("computed from", above), ("read by", below)):
        print_table([title, "kind", "team"], [[node.name, node.kind, node.owner] for node in nodes])
        print_line()


def impact(name: str, *, as_json: bool) -> None:
    """Print everything downstream of a source, a column of one, a view or a feature, with its owners."""
    found, start = _found(name)
    nodes = found.below(start)
    affected = affected_of(nodes)
    if as_json:
        print_json({"name": start, **asdict(affected), "downstream": _records(nodes)})
        return
    print_table(["downstream", "kind", "team"], [[node.name, node.kind, node.owner] for node in nodes])
    print_line()
    print_fields({name: joined(names) for name, names in asdict(affected).items()})


def similar(name: str, *, as_json: bool) -> None:
    """Print the features that compute the same as a feature, or nearly the same.

    Raises:
        InputError: it is no feature, or none of its own logic.
    """
    definitions = known_definitions()
    named = find_named(definitions, name)
    if named.feature is None:
        raise InputError(f"{name} is not a feature: write VIEW.FEATURE, e.g. household_spend.spend_7d")
    if named.feature["reads"]:
        raise InputError(f"{name} is computed from {', '.join(named.feature['reads'])}: look for what is like those")
    found = SimilarFeatures(definitions).to(named.full_name)
    if as_json:
        print_json([asdict(each) for each in found])
    elif found:
        print_table(
            ["name", "how", "team", "logic"], [[each.name, each.likeness, each.owner, each.logic] for each in found]
        )
    else:
        print_line(f"Nothing is like {named.full_name}.")


def _found(name: str) -> tuple[Lineage, str]:
    """Return the lineage of everything, and the full name of what may be written shorter."""
    definitions = known_definitions()
    found = lineage_of(definitions)
    if found.has(name):
        return found, name
    try:
        return found, find_named(definitions, name).full_name
    except InputError:
        return found, name  # the lineage says what is nearest


def _events(versions: list[Version], wanted: str | None) -> list[dict[str, Any]]:
    """Return what each revision changed, the newest first; only of one feature where one is wanted."""
    began = {version.recorded.number: version for version in versions}
    ended = {version.until.number: version for version in versions if version.until is not None}
    revisions = {each.number: each for version in versions for each in (version.recorded, version.until) if each}
    numbers = sorted(revisions, reverse=True)
    events = [_event(revisions[number], ended.get(number), began.get(number), wanted) for number in numbers]
    return [event for event in events if event["changes"]]


def _event(revision: Revision, before: Version | None, after: Version | None, wanted: str | None) -> dict[str, Any]:
    sides = [[] if side is None else [side.definition] for side in (before, after)]
    changes = [change_record(each) for each in compare(*sides) if wanted in (None, each.name)]
    at = revision.applied_at.isoformat()
    return {"revision": revision.number, "at": at, "by": revision.applied_by, "changes": changes}


def _records(nodes: list[Node]) -> list[dict[str, Any]]:
    return [asdict(node) for node in nodes]
