"""``apply``: writes the service plans and prints what changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from feature_assets.cli.declared import declared
from feature_assets.cli.ledger_state import is_stored
from feature_assets.cli.names import find_view
from feature_assets.cli.output import print_json, print_line, print_table
from feature_assets.cli.plan_folder import apply_plans
from feature_store import FeatureView
from feature_store.errors import InputError
from resources.settings import Settings

INCOMPLETE: Final = 1
"""Exit code where the plans of a broken team were left as they are."""


def apply(*, allow_redefined: bool, as_json: bool) -> int:
    """Write the plans of all declared services into the plans folder; return the exit code."""
    settings, declarations = Settings.from_environment(), declared()
    folder = settings.plans
    if not allow_redefined:
        refuse_redefined(settings, declarations.views.values())
    try:
        changes = apply_plans(declarations, folder, allow_redefined=allow_redefined)
    except OSError as error:
        raise InputError(f"FEATURES_PLANS: plans cannot be written there: {error}") from error
    if as_json:
        print_json([{**vars(change), "details": list(change.details), "path": str(change.path)} for change in changes])
    else:
        print_table(
            ["service", "plan", "what changed"],
            [[change.service, change.action, list(change.details)] for change in changes],
        )
        print_line(f"Plans lie in {folder}")
    return INCOMPLETE if declarations.broken else 0


def refuse_redefined(settings: Settings, views: Iterable[FeatureView]) -> None:
    """Fail if a view could not be written as it is declared now, whether or not a service reads it.

    Raises:
        FingerprintError: a stored feature changed without a new version, or is left out, though it was not dropped.
    """
    for view in views:
        if is_stored(settings, view):
            from feature_store.offline.tables.store import OfflineStore  # noqa: PLC0415 - only who has data needs it

            OfflineStore(settings.offline_root, settings.storage_options).values(view).require_same_definitions()


def drop(name: str) -> None:
    """Let the declarations of a view leave out a feature that is stored; what is stored of it stays.

    Args:
        name: ``VIEW.feature``, of a view that is declared, and a feature that is not any more.
    """
    from feature_store.offline.tables.store import OfflineStore  # noqa: PLC0415 - as above

    view_name, _, feature = name.rpartition(".")
    if not view_name:
        raise InputError(f"{name!r} names no feature: write VIEW.FEATURE, e.g. household_spend.spend_7d")
    view, settings = find_view(declared(), view_name), Settings.from_environment()
    OfflineStore(settings.offline_root, settings.storage_options).values(view).drop_feature(feature)
    print_line(f"{view.full_name}.{feature} may be left out from now on; what is stored of it stays")
