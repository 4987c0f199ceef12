"""Damage of a view as its ledgers list it: of its source, of what is computed of it, and of its copies online."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

import dagster as dg
import polars as pl

from feature_assets.generator.keys import online_key, table_key
from feature_store import FeatureView
from feature_store.errors import DamagedRecordError
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.verify import Verified, tables_of
from serving.load.landed import loaded_table

SOURCE: Final = "source damaged"
VALUES: Final = "values damaged"
ONLINE: Final = "online damaged"

_SOURCE: Final = "source"
_LONGEST_PROBLEM: Final = 300


@dataclass(frozen=True)
class Damage:
    """What of a view is damaged, if anything.

    Attributes:
        view: the view.
        kind: ``SOURCE``, ``VALUES`` or ``ONLINE``.
        what: as people know it.
        asset: where it is seen.
        cure: what its owner does.
        problems: what is wrong, the newest first; empty: nothing.
    """

    view: FeatureView
    kind: str
    what: str
    asset: dg.AssetKey
    cure: str
    problems: tuple[str, ...]


def damages_of(store: OfflineStore, view: FeatureView, *, with_source: bool) -> Iterator[Damage]:
    """Yield the state of all that is stored of a view, damaged or not.

    Args:
        store: the offline store.
        view: the view.
        with_source: look at its source, too: whoever owns several views of one is told once.
    """
    name, parts = view.full_name, tables_of(store, view)
    if with_source:
        yield Damage(
            view,
            SOURCE,
            f"{view.source.asset}, the source of {name},",
            dg.AssetKey(view.source.asset.split("/")),
            "nobody lands a source again by itself, since its interface may return nothing any more. If it still has "
            f"these days, Materialize their partitions; else put the files back. Then run `features verify {name}`",
            tuple(_problems(parts[_SOURCE], "")),
        )
    days = (problem for part, table in parts.items() if part != _SOURCE for problem in _problems(table, f"{part} "))
    yield Damage(
        view,
        VALUES,
        name,
        table_key(view),
        "runs that compute these days again are asked for by themselves, every hour until they are whole; readers get "
        f"an error meanwhile, never an older day. If they fail: `features verify {name} --repair`",
        tuple(days),
    )
    yield Damage(
        view,
        ONLINE,
        f"{name} online",
        online_key(view),
        "a load is asked for by itself, every hour until it is whole; entities whose rows are damaged read as DAMAGED, "
        f"those whose rows are gone as EMPTY. At once: `features verify {name} --online --repair`",
        tuple(_copies(loaded_table(store, view).open())),
    )


def _problems(table: Verified, of_part: str) -> Iterator[str]:
    """Yield what is known to be damaged of a table; of the copy of a stream no day is listed, its readers tell."""
    try:
        opened = table.open()
    except DamagedRecordError as problem:
        yield f"{of_part}{str(problem)[:_LONGEST_PROBLEM]}"
        return
    if isinstance(opened, OpenTable):
        yield from _days(opened, of_part)


def _days(opened: OpenTable, of_part: str) -> Iterator[str]:
    found: list[tuple[date, str]] = opened.damaged.select("day", "problem").sort("day", descending=True).rows()
    for day, problem in found:
        yield f"{of_part}{day}: {problem[:_LONGEST_PROBLEM]}"


def _copies(opened: OpenTable) -> Iterator[str]:
    as_ofs = opened.partitions.select("partition_start", "as_of")
    found = opened.damaged_generations.join(as_ofs, on="partition_start", how="left")
    for as_of, problem in found.sort("as_of", descending=True).select(pl.col("as_of", "problem")).iter_rows():
        yield f"as of {as_of:%Y-%m-%d %H:%M} UTC: {problem[:_LONGEST_PROBLEM]}"
