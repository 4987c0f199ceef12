"""``apply``: records what is declared, gives servers their plans, and prints what changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from feature_assets.cli.changes_text import change_record, print_changes
from feature_assets.cli.declared import declared
from feature_assets.cli.ledger_state import is_stored
from feature_assets.cli.names import find_view
from feature_assets.cli.output import print_json, print_line
from feature_assets.project.recorded import (
    ApplyOptions,
    apply_declarations,
    newest_revision,
    opened_catalog,
    sync_plans,
)
from feature_store import FeatureView
from feature_store.errors import InputError
from resources.settings import Settings

INCOMPLETE: Final = 1
"""Exit code where what is recorded of a broken team was left as it is."""


def apply(options: ApplyOptions, *, as_json: bool) -> int:
    """Record what teams declare, and publish the plans of their services; return the exit code.

    Without a revision of a plan, what somebody applies while this code is imported is a conflict.
    """
    settings = Settings.from_environment()
    if options.planned_at is None:
        options = replace(options, planned_at=newest_revision(settings))
    declarations = declared()
    if not options.allow_redefined:
        views = declarations.views.values()
        refuse_redefined(settings, [each for each in views if not options.teams or each.owner in options.teams])
    done = apply_declarations(settings, declarations, options)
    if as_json:
        print_json(
            {
                "revision": done.revision,
                "changes": [change_record(change) for change in done.changes],
                "undeclared": list(done.undeclared),
                "plans": str(done.plans.folder),
            }
        )
    else:
        print_changes(done.changes)
        for service in done.undeclared:
            print_line(f"{service} is declared no more and is still served: --retire {service} ends that")
        print_line(f"Revision {done.revision}. Plans lie in {done.plans.folder}")
    broken = [each for each in declarations.broken if not options.teams or each.team in options.teams]
    return INCOMPLETE if broken else 0


def sync(*, as_json: bool) -> None:
    """Write the plans of the catalog's newest revision again, where they are not current, and print where they lie."""
    settings = Settings.from_environment()
    with opened_catalog(settings) as catalog:
        plans = sync_plans(settings, catalog)
    if as_json:
        print_json({"revision": plans.revision, "plans": str(plans.folder)})
    else:
        print_line(f"Revision {plans.revision}. Plans lie in {plans.folder}")


def refuse_redefined(settings: Settings, views: Iterable[FeatureView]) -> None:
    """Fail if a view could not be written as it is declared now, whether or not a service reads it; on a branch it can.

    Raises:
        FingerprintError: a stored feature changed without a new version, or is left out, though it was not dropped.
    """
    for view in views:
        if not settings.branch and is_stored(settings, view.full_name):
            from resources.branch import open_store  # noqa: PLC0415 - only who has data needs it

            open_store(settings).values(view).require_same_definitions()


def drop(name: str) -> None:
    """Let the declarations of a view leave out a feature that is stored; what is stored of it stays.

    Args:
        name: ``VIEW.feature``, of a view that is declared, and a feature that is not any more.
    """
    from resources.branch import open_store  # noqa: PLC0415 - as above

    view_name, _, feature = name.rpartition(".")
    if not view_name:
        raise InputError(f"{name!r} names no feature: write VIEW.FEATURE, e.g. household_spend.spend_7d")
    view, settings = find_view(declared(), view_name), Settings.from_environment()
    open_store(settings).values(view).drop_feature(feature)
    print_line(f"{view.full_name}.{feature} may be left out from now on; what is stored of it stays")
