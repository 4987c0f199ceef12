"""``apply``: writes the service plans and prints what changed."""

from __future__ import annotations

from typing import Final

from feature_assets.cli.declared import declared
from feature_assets.cli.output import print_json, print_line, print_table
from feature_assets.cli.plan_folder import apply_plans
from feature_store.errors import InputError
from resources.settings import Settings

INCOMPLETE: Final = 1
"""Exit code where the plans of a broken team were left as they are."""


def apply(*, allow_redefined: bool, as_json: bool) -> int:
    """Write the plans of all declared services into the plans folder; return the exit code."""
    folder, declarations = Settings.from_environment().plans, declared()
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
