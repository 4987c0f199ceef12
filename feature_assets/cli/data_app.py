"""The commands of ``features`` about values: read, explain, make, compare and mend them. See ``app``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from feature_assets.cli.options import Json

commands = typer.Typer(rich_markup_mode=None)

From = Annotated[
    str,
    typer.Option("--from", metavar="START", help="Start of the first partition: 2017-06-01, or a time with a zone."),
]
To = Annotated[str, typer.Option("--to", metavar="END", help="End of the last partition, which is not one itself.")]
Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", help="name=value of what comes with a request; repeat it for more inputs or entities."),
]


@commands.command("get")
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


@commands.command("restore")
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


@commands.command("training-set")
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


@commands.command("explain")
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


@commands.command("parity")
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


@commands.command("replay")
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


@commands.command("backfill")
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


@commands.command("land")
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


@commands.command("verify")
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
