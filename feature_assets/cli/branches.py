"""``branch``: which branches there are, how the values of one differ from production's, and how one goes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from feature_assets.cli.declared import declared
from feature_assets.cli.names import find_view
from feature_assets.cli.output import print_json, print_line, print_table
from feature_assets.parity.branches import ViewDiff, compare_view, is_changed
from feature_assets.parity.sampling import Sample
from feature_assets.parity.versions import ValueDiff
from feature_assets.project.branches import drop_branch, list_branches
from feature_assets.project.clock import now
from feature_store.catalog.branches import Branch
from feature_store.errors import InputError
from resources.branch import open_store
from resources.settings import Settings

_SHOWN = ("min", "p50", "max")
"""The quantiles that stand in the table; JSON has all."""


def list_all(*, as_json: bool) -> None:
    """Print the branches, how old they are and when they expire."""
    settings, present = Settings.from_environment(), datetime.now(UTC)
    found = [_record(each, present) for each in list_branches(settings)]
    if as_json:
        print_json(found)
    elif found:
        print_table(["branch", "by", "from revision", "age", "expires"], [_row(each) for each in found])
    else:
        print_line("there is no branch: `features apply` with FEATURES_BRANCH=name begins one")


def drop(name: str) -> None:
    """Delete a branch with all that it wrote.

    Raises:
        InputError: this is the branch, or there is none of that name.
    """
    console = Console(stderr=True, quiet=not sys.stderr.isatty())
    with console.status(f"dropping {name}") as status:
        drop_branch(Settings.from_environment(), name, lambda what: status.update(f"dropping {name}: {what}"))
    print_line(f"branch {name} is dropped")


def diff(names: Sequence[str], sample: Sample, *, as_json: bool) -> None:
    """Compare values of the branch with those of production, and print how they differ.

    Args:
        names: of views; empty: those that have values of their own on the branch.
        sample: how much to look at.
        as_json: print JSON.

    Raises:
        InputError: this is no branch, or there is no such view.
    """
    settings, declarations = Settings.from_environment(), declared()
    if not settings.branch:
        raise InputError("this is no branch: set FEATURES_BRANCH to the one that is to be compared with production")
    store, production = open_store(settings), open_store(settings.production)
    asked = [find_view(declarations, name) for name in names]
    views = asked or [view for view in declarations.views.values() if is_changed(store, view)]
    console, found = Console(stderr=True, quiet=not sys.stderr.isatty()), list[ViewDiff]()
    with console.status("comparing") as status:
        for number, view in enumerate(views, start=1):
            status.update(f"comparing {view.full_name}, {number} of {len(views)}")
            found.append(compare_view(production, store, view, now(), sample))
    if as_json:
        print_json([_diff_record(each) for each in found])
        return
    if not found:
        print_line(f"branch {settings.branch} has no values of its own: it reads production's")
    for each in found:
        _print(each)


def _record(branch: Branch, present: datetime) -> dict[str, Any]:
    return {
        "branch": branch.name,
        "by": branch.began_by,
        "base": branch.base,
        "began_at": branch.began_at.isoformat(),
        "expires_at": branch.expires_at.isoformat(),
        "age_seconds": int((present - branch.began_at).total_seconds()),
        "has_expired": branch.expires_at <= present,
        "is_going": branch.is_going,
    }


def _row(record: dict[str, Any]) -> list[object]:
    age = timedelta(seconds=record["age_seconds"])
    told = f"{age.days} d" if age.days else f"{age.seconds // 3600} h {age.seconds // 60 % 60} min"
    expires = "has expired" if record["has_expired"] else record["expires_at"]
    state = "is being dropped: drop it again" if record["is_going"] else expires
    return [record["branch"], record["by"], record["base"], told, state]


def _diff_record(found: ViewDiff) -> dict[str, Any]:
    features = {name: {**asdict(each), "share_changed": each.share_changed} for name, each in found.features.items()}
    return {**asdict(found), "features": features}


def _print(found: ViewDiff) -> None:
    print_line(found.view)
    if found.features:
        columns = ["feature", "changed", "production", "branch", "difference"]
        print_table(columns, [_told(name, each) for name, each in found.features.items()])
    for name in found.new:
        print_line(f"new: {name}")
    for note in found.notes:
        print_line(note)
    for name, each in found.features.items():
        if each.examples:
            print_line()
            keys = [key for key in each.examples[0] if key not in ("one", "other")]
            rows = [[*(row[key] for key in keys), row["one"], row["other"]] for row in each.examples]
            print_table([*keys, f"{name} in production", "on the branch"], rows)


def _told(name: str, diff: ValueDiff) -> list[object]:
    share = f"{diff.changed} of {diff.rows} ({diff.share_changed:.1%})"
    alone = [f"{count} only {where}" for count, where in ((diff.only_one, "there"), (diff.only_other, "here")) if count]
    return [
        name,
        ", ".join([share, *alone]),
        *map(_quantiles, (diff.quantiles_one, diff.quantiles_other, diff.difference)),
    ]


def _quantiles(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {values[name]:.6g}" for name in _SHOWN) if values else ""
