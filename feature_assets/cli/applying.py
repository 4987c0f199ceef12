"""``apply``: writes the service plans and prints what changed."""

from __future__ import annotations

from feature_assets.cli.output import print_json, print_line, print_table
from feature_assets.cli.plan_folder import apply_plans
from feature_assets.declarations import load_declarations
from feature_store.errors import InputError
from resources.settings import Settings


def apply(*, allow_redefined: bool, as_json: bool) -> None:
    """Write the plans of all declared services into the plans folder."""
    folder = Settings.from_environment().plans
    try:
        changes = apply_plans(load_declarations(), folder, allow_redefined=allow_redefined)
    except OSError as error:
        raise InputError(f"FEATURES_PLANS: plans cannot be written there: {error}") from error
    if as_json:
        print_json([{**vars(change), "details": list(change.details), "path": str(change.path)} for change in changes])
        return
    print_table(
        ["service", "plan", "what changed"],
        [[change.service, change.action, list(change.details)] for change in changes],
    )
    print_line(f"Plans lie in {folder}")
