"""``backfill`` and ``land``: what a view or a source lacks in a range of time is made now, with a progress bar."""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches

from rich.console import Console

from feature_assets.backfill.backfill import Backfill
from feature_assets.backfill.due import location_of
from feature_assets.backfill.interrupted import close_interrupted_runs
from feature_assets.backfill.progress import Stages
from feature_assets.backfill.range_runs import RunPool
from feature_assets.backfill.spans import Span, asked_for, complete_until, landed_span
from feature_assets.cli.declared import declared
from feature_assets.cli.names import find_view
from feature_assets.cli.output import print_json, print_line
from feature_assets.cli.times import parse_start
from feature_assets.project.clock import now
from feature_assets.project.locations import Makers, find_makers
from feature_store import FeatureView
from feature_store.errors import InputError
from feature_store.offline.tables.store import OfflineStore
from resources.branch import open_store_to_write
from resources.dagster_home import use_project_home
from resources.online import running_url
from resources.settings import Settings

FAILED = 1
"""Exit code where a run failed."""


def backfill(name: str, start: str, end: str, *, as_json: bool) -> int:
    """Land, compute and load what a view lacks, print how many partitions that were; return the exit code.

    Args:
        name: of the view.
        start: start of its first partition.
        end: end of the last.
        as_json: print JSON.
    """
    view, present = find_view(declared(), name), now()
    whole = Span(view.start, complete_until(view.cadence, present, view.source.end), view.cadence)
    span = asked_for(view.full_name, parse_start(start, "--from"), parse_start(end, "--to"), whole)
    settings, makers = Settings.from_environment(), find_makers()
    location_of(makers, view)
    stages = _begin(settings)
    with RunPool() as runs:
        work = Backfill(runs, _store(settings), makers, {view.full_name: view}, {view.full_name: span})
        done: dict[str, int] = {"landed": 0, "tiles": 0}
        with stages.stage("land", f"landing {view.source.asset}") as stage:
            done["landed"] = work.land(work.needed(present), stage)
        if not view.is_table:
            with stages.stage("tiles", "tiles") as stage:
                done["tiles"] = work.tiles(stage)
        with stages.stage("values", "feature values") as stage:
            done["values"] = work.values(stage)
        with stages.stage("online", "online store") as stage:
            done["loaded"] = work.load(running_url(settings), stage)
    return _report(view, work, done, as_json=as_json)


def land(asset: str, start: str, end: str, *, as_json: bool) -> int:
    """Land what an asset lacks, print how many partitions that were; return the exit code.

    Args:
        asset: its key, ``/``-separated.
        start: start of its first partition.
        end: end of the last.
        as_json: print JSON.
    """
    present, makers = now(), find_makers()
    views = declared().views
    known = {view.source.asset for view in views.values()} & set(makers.partitions)
    if asset not in known:
        raise _not_landed(asset, known, makers)
    whole = landed_span(makers.partitions[asset], present)
    span = asked_for(asset, parse_start(start, "--from"), parse_start(end, "--to"), whole)
    settings = Settings.from_environment()
    stages = _begin(settings)
    with RunPool() as runs, stages.stage("land", f"landing {asset}") as stage:
        readers = {name: view for name, view in views.items() if view.source.asset == asset}
        work = Backfill(runs, _store(settings), makers, readers, {})
        landed = work.land({asset: span}, stage)
    if as_json:
        print_json({"asset": asset, "landed": landed, **_told(work)})
    else:
        print_line(f"{asset}: {landed} partitions landed")
    return _exit_code(work)


def _begin(settings: Settings) -> Stages:
    # Else it is the instance of those who run Dagster their own way; a branch writes nothing to that of production.
    if "DAGSTER_HOME" not in os.environ or settings.branch:
        use_project_home(settings)
    close_interrupted_runs()
    return Stages(Console(stderr=True, quiet=not sys.stderr.isatty()))


def _store(settings: Settings) -> OfflineStore:
    return open_store_to_write(settings)


def _report(view: FeatureView, work: Backfill, done: dict[str, int], *, as_json: bool) -> int:
    if as_json:
        print_json({"view": view.full_name, **done, **_told(work)})
    else:
        parts = f"{done['landed']} landed, {done['tiles']} of tiles, {done['values']} of values"
        loaded = "loaded online" if done["loaded"] else "online already" if not work.failed else "not loaded online"
        print_line(f"{view.full_name}: partitions: {parts}; {loaded}")
    return _exit_code(work)


def _told(work: Backfill) -> dict[str, list[str]]:
    return {"warnings": work.runs.warnings, "failed": [str(each) for each in work.failed.values()]}


def _exit_code(work: Backfill) -> int:
    for line in (*(f"warning: {each}" for each in work.runs.warnings), *map(str, work.failed.values())):
        sys.stderr.write(f"features: {line}\n")
    return FAILED if work.failed else 0


def _not_landed(asset: str, known: set[str], makers: Makers) -> InputError:
    broken = "".join(f" The code location {name} is broken: {why}" for name, why in makers.broken.items())
    close = get_close_matches(asset, known, n=2, cutoff=0.5) or sorted(known)
    hint = f"did you mean {' or '.join(close)}?" if close else "no source of a view is."
    return InputError(f"{asset!r} is no source that a code location of the project lands: {hint}{broken}")
