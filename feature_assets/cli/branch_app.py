"""The commands of ``features branch``. See ``app``."""

from __future__ import annotations

from typing import Annotated

import typer

from feature_assets.cli.options import Json

commands = typer.Typer(help="Branches: the sandboxes that FEATURES_BRANCH names.", rich_markup_mode=None)


@commands.command("list")
def list_command(json: Json = False) -> None:
    """List the branches, their age and when they expire."""
    from feature_assets.cli.branches import list_all  # noqa: PLC0415

    list_all(as_json=json)


@commands.command("diff")
def diff_command(
    views: Annotated[
        list[str] | None, typer.Argument(metavar="[VIEW]...", help="Views; all that the branch changed if not given.")
    ] = None,
    entities: Annotated[int, typer.Option(min=1, help="How many entities per instant.")] = 50,
    instants: Annotated[int, typer.Option(min=1, help="How many instants.")] = 3,
    seed: Annotated[int, typer.Option(help="Random seed; a different seed draws a different sample.")] = 0,
    json: Json = False,
) -> None:
    """Compare values of this branch with production's.

    For a sample of entities and instants: how many changed, by how much, and examples.
    """
    from feature_assets.cli.branches import diff  # noqa: PLC0415
    from feature_assets.parity.sampling import Sample  # noqa: PLC0415

    diff(views or (), Sample(entities=entities, instants=instants, seed=seed), as_json=json)


@commands.command("drop")
def drop_command(name: Annotated[str, typer.Argument(metavar="BRANCH", help="The branch.")]) -> None:
    """Delete a branch with all that it wrote.

    Production, and what others read of it, stays as it is.
    """
    from feature_assets.cli.branches import drop  # noqa: PLC0415

    drop(name)
