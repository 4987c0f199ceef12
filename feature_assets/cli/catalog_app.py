"""The commands of ``features`` about what is declared: find it, compare it, record it. See ``app``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from feature_assets.cli.options import Json

commands = typer.Typer(rich_markup_mode=None)

Recorded = Annotated[str, typer.Argument(help="A view, view.feature or service, e.g. household_spend.spend_7d.")]
Lineage = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A source, or column of one (raw/transactions.quantity), view, feature, service."
    ),
]

Teams = Annotated[
    list[str] | None, typer.Option(metavar="TEAM", help="Only what this team declares; all if not given.")
]


@commands.command("list")
def list_command(
    team: Annotated[str | None, typer.Option(help="Only this team's.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only this entity's.")] = None,
    kind: Annotated[
        str, typer.Option(help="feature, aggregate, field, derived, on-read, view or service.")
    ] = "feature",
    json: Json = False,
) -> None:
    """List features, views or services."""
    from feature_assets.cli.browse import list_known  # noqa: PLC0415

    list_known(team, entity, kind, as_json=json)


@commands.command("search")
def search_command(
    words: Annotated[list[str], typer.Argument(help="Words that must all match.")],
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of results.")] = 20,
    json: Json = False,
) -> None:
    """Search everything that is declared.

    Names, descriptions, entities, teams, sources and logic; the best match first.
    """
    from feature_assets.cli.browse import search_known  # noqa: PLC0415

    search_known(words, limit, as_json=json)


@commands.command("show")
def show_command(
    name: Recorded,
    at: Annotated[
        str | None, typer.Option(help="As of this revision, day or time of the catalog, e.g. 12 or 2026-11-01.")
    ] = None,
    json: Json = False,
) -> None:
    """Show a view, a feature or a service.

    Everything that is declared about it, and what is computed of it.
    """
    from feature_assets.cli.browse import show  # noqa: PLC0415

    show(name, at, as_json=json)


@commands.command("plan")
def plan_command(
    retire: Annotated[
        list[str] | None, typer.Option(metavar="SERVICE", help="As `features apply --retire` would.")
    ] = None,
    team: Teams = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    json: Json = False,
) -> int:
    """Show what an apply would change.

    What that costs, and who is hit. Exit code 1 if it would be refused.
    """
    from feature_assets.cli.planning import plan  # noqa: PLC0415

    return plan(tuple(retire or ()), tuple(team or ()), as_json=json, as_markdown=markdown)


@commands.command("history")
def history_command(name: Recorded, json: Json = False) -> None:
    """Show what changed a view, a feature or a service.

    Every revision, who applied it and when, the newest first.
    """
    from feature_assets.cli.looking import history  # noqa: PLC0415

    history(name, as_json=json)


@commands.command("lineage")
def lineage_command(name: Lineage, json: Json = False) -> None:
    """Show what something is computed from and read by."""
    from feature_assets.cli.looking import lineage  # noqa: PLC0415

    lineage(name, as_json=json)


@commands.command("impact")
def impact_command(name: Lineage, json: Json = False) -> None:
    """Show everything downstream, with its owners."""
    from feature_assets.cli.looking import impact  # noqa: PLC0415

    impact(name, as_json=json)


@commands.command("similar")
def similar_command(
    name: Annotated[str, typer.Argument(metavar="VIEW.FEATURE", help="The feature, e.g. household_spend.spend_7d.")],
    json: Json = False,
) -> None:
    """Show features that compute the same, or nearly."""
    from feature_assets.cli.looking import similar  # noqa: PLC0415

    similar(name, as_json=json)


@commands.command("diff")
def diff_command(
    one: Annotated[str, typer.Argument(metavar="VIEW.FEATURE", help="The former, e.g. spend/v1.spend_7d.")],
    other: Annotated[str, typer.Argument(metavar="VIEW.FEATURE", help="The new one, e.g. spend/v2.spend_7d.")],
    partitions: Annotated[int, typer.Option(min=1, help="How many of the newest that both have, at most.")] = 7,
    json: Json = False,
) -> None:
    """Compare the stored values of two features.

    How many changed, by how much, and examples.
    """
    from feature_assets.cli.value_diff import diff  # noqa: PLC0415

    diff(one, other, partitions, as_json=json)


@commands.command("apply")
def apply_command(
    planned_at: Annotated[
        int | None, typer.Option(metavar="REVISION", help="That of the plan; fail if somebody applied since.")
    ] = None,
    allow_redefined: Annotated[
        bool,
        typer.Option("--allow-redefined", help="Accept features that changed though their view kept its version."),
    ] = False,
    retire: Annotated[
        list[str] | None, typer.Option(metavar="SERVICE", help="Serve this one no more; it is declared no more.")
    ] = None,
    team: Teams = None,
    json: Json = False,
) -> int:
    """Record what is declared, and give servers their plans.

    One transaction of the catalog, with who and when. Exit code 1 if a team is broken: nothing of it changes.
    """
    from feature_assets.cli.applying import apply  # noqa: PLC0415
    from feature_assets.project.recorded import ApplyOptions  # noqa: PLC0415

    return apply(ApplyOptions(planned_at, allow_redefined, tuple(retire or ()), tuple(team or ())), as_json=json)


@commands.command("drop")
def drop_command(
    name: Annotated[str, typer.Argument(metavar="VIEW.FEATURE", help="A feature that is declared no more.")],
) -> None:
    """Let a view be written without a feature that it stores.

    Until then a code location without it is taken for one that is out of date, and refused.
    """
    from feature_assets.cli.applying import drop  # noqa: PLC0415

    drop(name)


plans = typer.Typer(help="The plans that servers read.", rich_markup_mode=None)
commands.add_typer(plans, name="plans")


@plans.command("sync")
def sync_command(json: Json = False) -> None:
    """Write the catalog's newest plans again.

    Where they are not what servers read: they are damaged, or an apply was killed.
    """
    from feature_assets.cli.applying import sync  # noqa: PLC0415

    sync(as_json=json)


catalog = typer.Typer(help="The record of everything that is declared.", rich_markup_mode=None)
commands.add_typer(catalog, name="catalog")


@catalog.command("backup")
def backup_command(file: Annotated[Path, typer.Argument(help="File to write; it must not exist.")]) -> None:
    """Write the whole catalog to a file."""
    from feature_assets.cli.backing_up import backup  # noqa: PLC0415

    backup(file)


@catalog.command("restore")
def restore_catalog_command(file: Annotated[Path, typer.Argument(help="File that a backup wrote.")]) -> None:
    """Fill an empty catalog, of either database, from a backup."""
    from feature_assets.cli.backing_up import restore  # noqa: PLC0415

    restore(file)


@catalog.command("roles")
def roles_command(
    teams: Annotated[list[str] | None, typer.Argument(metavar="[TEAM]...", help="New teams, not recorded yet.")] = None,
) -> None:
    """Print the SQL of PostgreSQL roles, one per team.

    A team's role reads the whole catalog, and changes what the team owns.
    """
    from feature_assets.cli.roles import print_roles  # noqa: PLC0415

    print_roles(teams or ())
