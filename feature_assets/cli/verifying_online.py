"""``verify --online``: does the online store hold what was loaded? And, on request, is it loaded again where not?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import Progress

from feature_assets.cli.declared import declared
from feature_assets.cli.names import find_view
from feature_assets.cli.output import print_json, print_line, print_table
from feature_assets.project.clock import now
from feature_store import FeatureView
from feature_store.errors import FeatureStoreError
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import iso_instant, to_microseconds
from resources.branch import open_store
from resources.online import running_url
from resources.settings import Settings
from serving.load.sync import sync_view
from serving.load.verify import OnlineStores, OnlineVerification, verify_online
from serving.stores.open_store import open_inspector, open_loader

DAMAGED = 1
"""Exit code where something is damaged, or still is after its repair."""


@dataclass(frozen=True)
class Loaded:
    """A view that was loaded again.

    Attributes:
        view: which.
        rows: how many rows were loaded; None: it could not be loaded.
        problem: why not.
    """

    view: str
    rows: int | None
    problem: str | None


def verify_loads(name: str | None, *, repair: bool, sample: int | None, as_json: bool) -> int:
    """Compare what is online of a view, or of all, with the offline store; print what differs; return the exit code.

    Args:
        name: of the view; None: all.
        repair: load again what is damaged.
        sample: so many rows of each generation are compared; None: all.
        as_json: print JSON.
    """
    declarations = declared()
    views = list(declarations.views.values()) if name is None else [find_view(declarations, name)]
    settings = Settings.from_environment()
    store = open_store(settings)
    with _opened(running_url(settings)) as online:
        found = _verify(store, views, online, sample)
        loaded: list[Loaded] = []
        wrong = {each.view for each in found if each.damages}
        if repair and wrong:
            loaded = [_load(store, view, online) for view in views if view.full_name in wrong]
            found = _verify(store, views, online, sample)
    if as_json:
        print_json({"views": [_record(each) for each in found], "loaded": [vars(each) for each in loaded]})
    else:
        _print(found, loaded)
    return DAMAGED if any(each.damages for each in found) else 0


@contextmanager
def _opened(url: str) -> Iterator[OnlineStores]:
    with closing(open_inspector(url)) as inspector, closing(open_loader(url)) as loader:
        yield OnlineStores(inspector, loader)


def _verify(
    store: OfflineStore, views: Sequence[FeatureView], online: OnlineStores, sample: int | None
) -> list[OnlineVerification]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:

        def told(bar: Any, done: int, of: int) -> None:
            bars.update(bar, completed=done, total=max(of, done))

        counts = None
        if sample is None:
            bar = bars.add_task("keys")
            counts = online.inspector.row_counts(lambda done, of: told(bar, done, of))
        stores = OnlineStores(online.inspector, online.loader, counts, sample)
        found: list[OnlineVerification] = []
        for view in views:
            bar = bars.add_task(view.full_name)
            found.append(verify_online(store, view, stores, now(), lambda done, of, bar=bar: told(bar, done, of)))
            bars.remove_task(bar)
    return found


def _load(store: OfflineStore, view: FeatureView, online: OnlineStores) -> Loaded:
    try:
        report = sync_view(store, view, online.loader, now())
    except FeatureStoreError as error:
        return Loaded(view.full_name, None, str(error))
    return Loaded(view.full_name, sum(load.rows for load in report.loads.values() if not load.skipped), None)


def _record(found: OnlineVerification) -> dict[str, object]:
    damages = [
        {
            "as_of": None if damage.as_of is None else iso_instant(to_microseconds(damage.as_of)),
            "generation": damage.generation,
            "problem": damage.problem,
        }
        for damage in found.damages
    ]
    return {**vars(found), "damages": damages, "due": [iso_instant(to_microseconds(as_of)) for as_of in found.due]}


def _print(found: Sequence[OnlineVerification], loaded: Sequence[Loaded]) -> None:
    print_table(
        ["view", "generations", "rows", "unverifiable", "damaged", "due"],
        [
            [each.view, each.generations, each.rows, each.unverifiable, len(each.damages), len(each.due)]
            for each in found
        ],
    )
    for each in found:
        for damage in each.damages:
            print_line(f"{each.view} {damage}")
    for done in loaded:
        print_line(f"{done.view}: " + (done.problem or f"loaded again, {done.rows} rows"))
