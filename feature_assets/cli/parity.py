"""``parity`` and ``replay``: do the stores hold what a second computation gives, and what was really served?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from feature_assets.cli.declared import declared
from feature_assets.cli.names import find_service, find_view
from feature_assets.cli.output import print_error, print_json, print_line, print_table
from feature_assets.explain.explanation import plain
from feature_assets.parity.replay import replay
from feature_assets.parity.report import ViewParity
from feature_assets.parity.sampling import Sample
from feature_assets.parity.stored import check_stored
from feature_assets.project.clock import now
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import InputError
from feature_store.offline.join.partition_choice import Availability
from resources.branch import open_store
from resources.online import running_url
from resources.settings import Settings

DIFFERENT, NOT_COMPARED = 1, 2
"""Exit codes where values differ, and where something that should have been compared could not be."""

_SHOWN = 20


@dataclass(frozen=True)
class ReplayOptions:
    """The scope of a replay.

    Attributes:
        log: Parquet file of responses.
        availability: ``actual`` or ``promised``.
    """

    log: Path
    availability: Availability


def check(name: str, sample: Sample, *, as_json: bool) -> int:
    """Print the parity of a view, as the asset check finds it; return the exit code."""
    view = find_view(declared(), name)
    settings = Settings.from_environment()
    store = open_store(settings)
    parity = check_stored(store, view, running_url(settings), now(), sample)
    if as_json:
        print_json(plain({**vars(parity), "values": None, "tallies": parity.tallies(), "different": parity.different}))
    else:
        _print_parity(parity)
    if parity.different:
        return DIFFERENT
    if parity.problems:
        print_error(f"{parity.view}: not everything could be compared: {'; '.join(parity.problems)}")
        return NOT_COMPARED
    return 0


def replay_log(service_name: str, options: ReplayOptions, *, as_json: bool) -> int:
    """Print where a log of responses differs from what the offline store gives for it; return the exit code."""
    service = find_service(declared(), service_name)
    if options.log.suffix != ".parquet" or not options.log.is_file():
        raise InputError(f"--log {options.log}: there is no Parquet file of that name")
    settings = Settings.from_environment()
    store = open_store(settings)
    report = replay(store, compile_plan(service), _read(options.log), options.availability)
    different = report.different.to_dicts()
    if as_json:
        print_json(plain({"rows": report.entities, "compared": report.compared, "different": different}))
    else:
        print_line(f"{report.entities} rows, {report.compared} values compared, {len(different)} different")
        if different:
            print_table(list(different[0]), [list(row.values()) for row in different[:_SHOWN]])
    return DIFFERENT if different else 0


def _read(log: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(log)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"--log {log} cannot be read: {str(error).splitlines()[0]}") from error


def _print_parity(parity: ViewParity) -> None:
    print_line(f"{parity.view}: {parity.compared} values compared, {len(parity.different)} different")
    for line in (*parity.problems, *parity.notes):
        print_line(line)
    tallies = [[t.path, t.feature, t.compared, t.different, t.largest] for t in parity.tallies()]
    if tallies:
        print_line()
        print_table(["path", "feature", "compared", "different", "largest difference"], tallies)
    if parity.different:
        print_line()
        rows = [
            [d.place.keys, d.place.at.isoformat(), d.feature, d.place.path, str(d.expected), str(d.found)]
            for d in parity.different[:_SHOWN]
        ]
        print_table(["entity", "T", "feature", "path", "expected", "found"], rows)
