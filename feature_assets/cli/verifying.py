"""``verify``: is what is stored what was written? And, on request, is it computed again where it is not?"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress

from feature_assets.cli.declared import declared
from feature_assets.cli.names import find_view
from feature_assets.cli.output import print_json, print_line, print_table
from feature_assets.project.clock import now
from feature_store import FeatureView
from feature_store.errors import DamagedRecordError, FeatureStoreError
from feature_store.offline.materialize.repair import damaged_days_of, repair_day
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.verify import Verification, accept_loss, tables_of, verify_table
from resources.branch import open_store
from resources.settings import Settings

_LOG = logging.getLogger(__name__)

DAMAGED = 1
"""Exit code where something is damaged, or still is after its repair."""


@dataclass(frozen=True)
class Repaired:
    """A day that was computed again.

    Attributes:
        view: whose.
        part: which of its tables.
        day: the physical day.
        rows: how many it has now; None: it could not be repaired.
        problem: why not.
    """

    view: str
    part: str
    day: str
    rows: int | None
    problem: str | None


def verify(name: str | None, *, repair: bool, as_json: bool) -> int:
    """Read all that is stored of a view, or of all, compare it, and print what is damaged; return the exit code.

    Args:
        name: of the view; None: all.
        repair: compute damaged days of tiles and values again.
        as_json: print JSON.
    """
    declarations = declared()
    views = list(declarations.views.values()) if name is None else [find_view(declarations, name)]
    settings = Settings.from_environment()
    store = open_store(settings)
    found = _verify(store, views)
    repaired: list[Repaired] = []
    if repair and not all(each.is_sound for each in found):
        repaired = [done for view in views for done in _repair(store, view)]
        found = _verify(store, views)
    if as_json:
        print_json({"tables": [_record(each) for each in found], "repaired": [vars(each) for each in repaired]})
    else:
        _print(found, repaired)
    return 0 if all(each.is_sound for each in found) else DAMAGED


def _verify(store: OfflineStore, views: Sequence[FeatureView]) -> list[Verification]:
    tables = {table.uri: table for view in views for table in tables_of(store, view).values()}
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        found: list[Verification] = []
        for uri, table in tables.items():
            bar = bars.add_task(uri.removeprefix(store.root).strip("/"))
            found.append(verify_table(table, lambda done, of, bar=bar: bars.update(bar, completed=done, total=of)))
            bars.remove_task(bar)
    return found


def _repair(store: OfflineStore, view: FeatureView) -> list[Repaired]:
    for table in accept_loss(store, view):
        _LOG.warning("%s: what its newest commits did is lost: compute it again, or put the log back", table)
    done: list[Repaired] = []
    try:
        found = list(damaged_days_of(store, view))
    except DamagedRecordError:
        return []  # it is told, and only putting it back helps
    for damaged in found:
        rows, problem = None, None
        try:
            rows = repair_day(store, view, damaged, f"repair-{now():%Y%m%dT%H%M%S}")
        except FeatureStoreError as error:
            problem = str(error)
        done.append(Repaired(view.full_name, damaged.part, str(damaged.day), rows, problem))
    return done


def _record(found: Verification) -> dict[str, object]:
    damages = [{"day": str(damage.day), "file": damage.file, "problem": damage.problem} for damage in found.damages]
    return {**vars(found), "damages": damages, "records": [str(problem) for problem in found.records]}


def _print(found: Sequence[Verification], repaired: Sequence[Repaired]) -> None:
    print_table(
        ["table", "partitions", "unverifiable", "damaged days"],
        [[each.table, each.partitions, each.unverifiable, len(each.damages)] for each in found],
    )
    for each in found:
        for damage in (*each.damages, *each.records):
            print_line(str(damage))
    for done in repaired:
        what = f"{done.view}: {done.part} of {done.day}"
        print_line(f"{what}: computed again, {done.rows} rows" if done.problem is None else f"{what}: {done.problem}")
