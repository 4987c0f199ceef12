"""``plan``: what applying the code would change, what that costs and who is hit; nothing is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Final

from feature_assets.cli.applying import refuse_redefined
from feature_assets.cli.declared import declared
from feature_assets.cli.output import print_json, print_line
from feature_assets.cli.plan_text import Planned, plan_markdown, plan_record, print_plan
from feature_assets.project import Declarations
from feature_assets.project.clock import now
from feature_assets.project.recorded import definitions_by_team, opened_catalog
from feature_store import FeatureView
from feature_store.catalog.affected import affected_by
from feature_store.catalog.changes import Refusal
from feature_store.catalog.documents import features_read
from feature_store.catalog.lineage import lineage_of
from feature_store.catalog.proposals import Proposal
from feature_store.catalog.similar import Similar, SimilarFeatures
from feature_store.catalog.source_changes import column_changes
from feature_store.errors import FingerprintError
from resources.settings import Settings

REFUSED: Final = 1
"""Exit code where applying would be refused, or a team is broken."""


def plan(retire: Sequence[str], teams: Sequence[str], *, as_json: bool, as_markdown: bool) -> int:
    """Print what ``features apply`` would do; return the exit code.

    Args:
        retire: services that would be retired.
        teams: only what these declare; empty: all.
        as_json: print JSON.
        as_markdown: print Markdown for a pull request.
    """
    declarations = declared()
    found = planned(Settings.from_environment(), declarations, retire, teams)
    if as_json:
        print_json(plan_record(found))
    elif as_markdown:
        print_line(plan_markdown(found))
    else:
        print_plan(found)
    broken = [each for each in declarations.broken if not teams or each.team in teams]
    return REFUSED if found.refused or broken else 0


def planned(
    settings: Settings, declarations: Declarations, retire: Sequence[str] = (), teams: Sequence[str] = ()
) -> Planned:
    """Return what applying some declarations would do."""
    with opened_catalog(settings) as catalog:
        proposal = catalog.plan(definitions_by_team(declarations, teams), retire=retire)
    return _follow(proposal, settings, declarations, teams)


def _follow(proposal: Proposal, settings: Settings, declarations: Declarations, teams: Sequence[str]) -> Planned:
    # On a branch nobody is served, and what a name means may change.
    refused = tuple(each for each in proposal.refused if not (settings.branch and each.redefines))
    told = {refusal.name.partition(".")[0] for refusal in refused}
    own = [view for view in declarations.views.values() if not teams or view.owner in teams]
    views = [view for view in own if view.full_name not in told]
    refused += tuple(_stored_otherwise(settings, views))
    if not proposal.changes:
        return Planned(proposal, refused, (), {}, (), _deprecated(proposal))
    from feature_assets.cli.costs import costs_of  # noqa: PLC0415 - it reads what is stored, and only then needs Polars

    lineage = lineage_of([*proposal.before, *proposal.after])
    affected = tuple(affected_by(change, lineage) for change in proposal.changes)
    costs = costs_of(proposal.changes, declarations.views.values(), settings.production, now())
    sources = tuple(map(str, column_changes(proposal.before, proposal.after, lineage)))
    similar, notes = _similar(proposal), (*sources, *_deprecated(proposal))
    return Planned(proposal, refused, affected, similar, tuple(map(asdict, costs)), notes)


def _stored_otherwise(settings: Settings, views: Iterable[FeatureView]) -> list[Refusal]:
    """Return the views that could not be written as they are declared now, since other values of them are stored."""
    found: list[Refusal] = []
    for view in views:
        try:
            refuse_redefined(settings, [view])
        except FingerprintError as error:
            found.append(Refusal(view.full_name, str(error), "declare a new version of the view", redefines=True))
    return found


def _deprecated(proposal: Proposal) -> tuple[str, ...]:
    """Return who reads what is deprecated, a line per service and feature."""
    texts = {
        (each.name, feature["name"]): feature["deprecated"]
        for each in proposal.after
        for feature in each.document.get("features", ())
        if feature["deprecated"] is not None
    }
    return tuple(
        f"service {each.name} ({each.owner}) reads {view}.{feature}, which is deprecated: {text}"
        for each in proposal.after
        for view, feature in features_read(each.document)
        if (text := texts.get((view, feature))) is not None
    )


def _similar(proposal: Proposal) -> dict[str, list[Similar]]:
    """Return what is like the new features; other versions of the same view are meant to be like it."""
    known = SimilarFeatures(proposal.after)
    found: dict[str, list[Similar]] = {}
    for change in proposal.changes:
        if change.kind == "feature" and change.action == "added":
            view = _without_version(change.name)
            others = [each for each in known.to(change.name) if _without_version(each.name) != view]
            if others:
                found[change.name] = others
    return found


def _without_version(feature: str) -> str:
    return feature.partition(".")[0].rpartition("/")[0]
