"""The commands of ``features`` and their options. What they do is imported when it is asked for: help is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from feature_store.errors import FeatureStoreError

app = typer.Typer(
    help="Find features, read their values, and build training sets.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

BAD_INPUT = 2

From = Annotated[
    str,
    typer.Option("--from", metavar="START", help="Start of the first partition: 2017-06-01, or a time with a zone."),
]
To = Annotated[str, typer.Option("--to", metavar="END", help="End of the last partition, which is not one itself.")]
Recorded = Annotated[str, typer.Argument(help="A view, view.feature or service, e.g. household_spend.spend_7d.")]
Lineage = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A source, or column of one (raw/transactions.quantity), view, feature, service."
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", help="name=value of what comes with a request; repeat it for more inputs or entities."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command("list")
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


@app.command("search")
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


@app.command("show")
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


@app.command("get")
def get_command(
    name: Annotated[str, typer.Argument(metavar="SERVICE|VIEW", help="What to read.")],
    key: Annotated[list[str], typer.Option(help="column=value; repeat it for more entities or key columns.")],
    given: Inputs = None,
    at: Annotated[str | None, typer.Option(help="T, e.g. 2017-06-01T00:00:00Z; now if not given.")] = None,
    json: Json = False,
) -> None:
    """Read values from the online store, as a model gets them.

    Of an earlier T it holds the snapshots that are still loaded.
    """
    from feature_assets.cli.online import get  # noqa: PLC0415

    get(name, key, at, given or (), as_json=json)


@app.command("restore")
def restore_command(
    name: Annotated[str, typer.Argument(metavar="VIEW", help="The view.")],
    undo: Annotated[
        bool, typer.Option("--undo", help="Let the next load bring back what was rejected, instead.")
    ] = False,
    json: Json = False,
) -> None:
    """Serve a view's previous snapshot at once.

    The newer ones stay rejected until their content changes.
    """
    from feature_assets.cli.online import restore  # noqa: PLC0415

    restore(name, undo=undo, as_json=json)


@app.command("training-set")
def training_set_command(
    service: Annotated[str, typer.Argument(help="Whose features to add.")],
    spine: Annotated[Path, typer.Option(help="CSV or Parquet file: keys, a time with a zone, labels.")],
    out: Annotated[Path, typer.Option(help="CSV or Parquet file to write.")],
    time_column: Annotated[str, typer.Option(help="The spine's column of times.")] = "time",
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Give nulls where nothing was computed, instead of failing.")
    ] = False,
    with_status: Annotated[
        bool, typer.Option("--with-status", help="Add the status of each value, and the as-of of each view.")
    ] = False,
    max_age: Annotated[
        str | None, typer.Option(help="Give null for values as of longer ago, e.g. 2d; else the views' ttl decides.")
    ] = None,
    json: Json = False,
) -> None:
    """Add features to the rows of a spine.

    Each row gets them as they were available before its time.
    """
    from feature_assets.cli.times import parse_age  # noqa: PLC0415
    from feature_assets.cli.training_sets import SpineOptions, write_training_set  # noqa: PLC0415

    oldest = parse_age(max_age)
    options = SpineOptions(spine, time_column, allow_missing=allow_missing, with_status=with_status, max_age=oldest)
    write_training_set(service, options, out, as_json=json)


@app.command("explain")
def explain_command(
    name: Annotated[
        str,
        typer.Argument(metavar="VIEW.FEATURE", help="The feature, e.g. household_spend.spend_7d; or SERVICE.FEATURE."),
    ],
    key: Annotated[list[str], typer.Option(help="column=value of the entity; repeat it for more key columns.")],
    given: Inputs = None,
    at: Annotated[str | None, typer.Option(help="T, e.g. 2017-06-01T00:00:00Z; now if not given.")] = None,
    show: Annotated[int, typer.Option(min=1, help="Maximum number of tiles, events and rows of each kind.")] = 10,
    json: Json = False,
) -> None:
    """Explain why a feature has its value.

    Its partition, its window, the tiles and events that count, and what each store holds.
    """
    from feature_assets.cli.explaining import explain_feature  # noqa: PLC0415

    explain_feature(name, key, at, show, given or (), as_json=json)


@app.command("parity")
def parity_command(
    name: Annotated[str, typer.Argument(metavar="VIEW", help="The view.")],
    entities: Annotated[int, typer.Option(min=1, help="How many entities per instant.")] = 6,
    instants: Annotated[int, typer.Option(min=1, help="How many instants.")] = 3,
    seed: Annotated[int, typer.Option(help="Random seed; a different seed draws a different sample.")] = 0,
    json: Json = False,
) -> int:
    """Recompute a sample and compare both stores with it.

    Exit code 1 if they differ, 2 if there is something that cannot be compared.
    """
    from feature_assets.cli.parity import check  # noqa: PLC0415
    from feature_assets.parity.sampling import Sample  # noqa: PLC0415

    return check(name, Sample(entities=entities, instants=instants, seed=seed), as_json=json)


@app.command("replay")
def replay_command(
    service: Annotated[str, typer.Argument(help="The service that answered.")],
    log: Annotated[Path, typer.Option(help="Parquet file of responses: the keys, served_at, values, statuses.")],
    promised: Annotated[
        bool,
        typer.Option(
            "--promised", help="Use promised availability, as training sets do, instead of what was actually served."
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Compare a log of responses with what the ledger says.

    Exit code 1 if they differ from what was served, or promised, then.
    """
    from feature_assets.cli.parity import ReplayOptions, replay_log  # noqa: PLC0415

    return replay_log(service, ReplayOptions(log, "promised" if promised else "actual"), as_json=json)


@app.command("backfill")
def backfill_command(
    name: Annotated[str, typer.Argument(metavar="VIEW", help="The view.")],
    start: From,
    end: To,
    json: Json = False,
) -> int:
    """Land, compute and load what a view lacks.

    Its source where the project lands it, tiles, values and the online store. Exit code 1 if a run failed.
    """
    from feature_assets.cli.backfilling import backfill  # noqa: PLC0415

    return backfill(name, start, end, as_json=json)


@app.command("land")
def land_command(
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="Key of the asset of a source, e.g. raw/transactions.")],
    start: From,
    end: To,
    json: Json = False,
) -> int:
    """Land what a source lacks.

    What has landed is not asked for again. Exit code 1 if the run failed.
    """
    from feature_assets.cli.backfilling import land  # noqa: PLC0415

    return land(asset, start, end, as_json=json)


@app.command("verify")
def verify_command(
    name: Annotated[str | None, typer.Argument(metavar="[VIEW]", help="The view; all if not given.")] = None,
    online: Annotated[
        bool,
        typer.Option("--online", help="Compare the online store with what was loaded, instead of the offline one."),
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Compute damaged days of tiles and values again; with --online, load again. Sources are never landed.",
        ),
    ] = False,
    sample: Annotated[
        int | None, typer.Option(min=1, help="With --online: compare about so many rows of each generation, not all.")
    ] = None,
    json: Json = False,
) -> int:
    """Compare everything that is stored with what was written.

    Exit code 1 if something is damaged, and still is after a repair.
    """
    if online:
        from feature_assets.cli.verifying_online import verify_loads  # noqa: PLC0415

        return verify_loads(name, repair=repair, sample=sample, as_json=json)
    if sample is not None:
        raise typer.BadParameter("days offline are always read whole: use it with --online", param_hint="--sample")
    from feature_assets.cli.verifying import verify  # noqa: PLC0415

    return verify(name, repair=repair, as_json=json)


@app.command("plan")
def plan_command(
    retire: Annotated[
        list[str] | None, typer.Option(metavar="SERVICE", help="As `features apply --retire` would.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    json: Json = False,
) -> int:
    """Show what an apply would change.

    What that costs, and who is hit. Exit code 1 if it would be refused.
    """
    from feature_assets.cli.planning import plan  # noqa: PLC0415

    return plan(tuple(retire or ()), as_json=json, as_markdown=markdown)


@app.command("history")
def history_command(name: Recorded, json: Json = False) -> None:
    """Show what changed a view, a feature or a service.

    Every revision, who applied it and when, the newest first.
    """
    from feature_assets.cli.looking import history  # noqa: PLC0415

    history(name, as_json=json)


@app.command("lineage")
def lineage_command(name: Lineage, json: Json = False) -> None:
    """Show what something is computed from and read by."""
    from feature_assets.cli.looking import lineage  # noqa: PLC0415

    lineage(name, as_json=json)


@app.command("impact")
def impact_command(name: Lineage, json: Json = False) -> None:
    """Show everything downstream, with its owners."""
    from feature_assets.cli.looking import impact  # noqa: PLC0415

    impact(name, as_json=json)


@app.command("similar")
def similar_command(
    name: Annotated[str, typer.Argument(metavar="VIEW.FEATURE", help="The feature, e.g. household_spend.spend_7d.")],
    json: Json = False,
) -> None:
    """Show features that compute the same, or nearly."""
    from feature_assets.cli.looking import similar  # noqa: PLC0415

    similar(name, as_json=json)


@app.command("diff")
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


@app.command("apply")
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
    json: Json = False,
) -> int:
    """Record what is declared, and give servers their plans.

    One transaction of the catalog, with who and when. Exit code 1 if a team is broken: nothing of it changes.
    """
    from feature_assets.cli.applying import apply  # noqa: PLC0415
    from feature_assets.project.recorded import ApplyOptions  # noqa: PLC0415

    return apply(ApplyOptions(planned_at, allow_redefined, tuple(retire or ())), as_json=json)


plans = typer.Typer(help="The plans that servers read.", rich_markup_mode=None)
app.add_typer(plans, name="plans")


@plans.command("sync")
def sync_command(json: Json = False) -> None:
    """Write the catalog's newest plans again.

    Where they are not what servers read: they are damaged, or an apply was killed.
    """
    from feature_assets.cli.applying import sync  # noqa: PLC0415

    sync(as_json=json)


catalog = typer.Typer(help="The record of everything that is declared.", rich_markup_mode=None)
app.add_typer(catalog, name="catalog")


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


@app.command("drop")
def drop_command(
    name: Annotated[str, typer.Argument(metavar="VIEW.FEATURE", help="A feature that is declared no more.")],
) -> None:
    """Let a view be written without a feature that it stores.

    Until then a code location without it is taken for one that is out of date, and refused.
    """
    from feature_assets.cli.applying import drop  # noqa: PLC0415

    drop(name)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0, or 2 with one line on stderr if what was asked for cannot be done.

    Args:
        arguments: as on the command line, without the program's name; None: those of this process.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run a command (without one, help); return the exit code."""
    try:
        code = app(arguments or ["--help"], prog_name="features", standalone_mode=False)
    except TyperException as error:
        return _refuse(error.format_message())
    except FeatureStoreError as error:
        return _refuse(str(error))
    except BrokenPipeError:  # the reader, e.g. `head`, has seen enough
        sys.stderr.close()
        return 0
    return code if isinstance(code, int) else 0


def _refuse(message: str) -> int:
    sys.stderr.write(f"features: {' '.join(message.split())}\n")
    return BAD_INPUT
