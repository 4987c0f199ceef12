"""A branch against production, value by value, for a sample of entities and instants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

import polars as pl

from feature_assets.parity.raw_rows import Keys
from feature_assets.parity.sampling import Instant, Sample, choose_entities, choose_instants, is_stale
from feature_assets.parity.text import iso
from feature_assets.parity.versions import ValueDiff, compare_values
from feature_store import FeatureView
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.tables.branch import Meaning
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.availability import is_usable


@dataclass(frozen=True)
class ViewDiff:
    """How a view on a branch differs from production.

    Attributes:
        view: its full name.
        features: by name of a stored feature that both have, how its values differ: ``one`` is production's.
        new: stored features that production does not have.
        notes: what was not compared, and why.
    """

    view: str
    features: dict[str, ValueDiff]
    new: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def is_changed(store: OfflineStore, view: FeatureView) -> bool:
    """Return whether a view has values of its own on a branch: it means something else, or is computed from other rows.

    Args:
        store: of the branch.
        view: as it is declared there.
    """
    assert store.branch is not None
    return not store.branch.shares(view.full_name, Meaning.of(view), store.storage_options)


def compare_view(
    production: OfflineStore, store: OfflineStore, view: FeatureView, now: datetime, sample: Sample
) -> ViewDiff:
    """Compare the stored values of sampled entities at sampled instants on a branch with those of production.

    Of stream views these are the values at the ends of partitions.

    Args:
        production: the offline store.
        store: that of the branch.
        view: as it is declared on the branch.
        now: partitions available before it are looked at.
        sample: how much to look at.
    """
    served = production.stored_values(view.full_name).open()
    if served.partitions.is_empty():
        return ViewDiff(view.full_name, {}, tuple(view.fingerprints), ("production holds no values of it",))
    instants, notes = _ends(store, view, now, sample) if view.is_stream else choose_instants(store, view, now, sample)
    if not instants:
        return ViewDiff(view.full_name, {}, notes=(*notes, "the branch holds no values of it: backfill it there first"))
    known = {name for name in view.fingerprints if name in served.columns}
    new = tuple(name for name in view.fingerprints if name not in known)
    held = set(served.partitions["as_of"].to_list())
    both = [instant for instant in instants if instant.as_of in held]
    notes += [f"production has no partition as of {iso(each.as_of)}" for each in instants if each.as_of not in held]
    if not both:
        return ViewDiff(view.full_name, {}, new, tuple(notes))
    chosen = [(instant, choose_entities(store, view, instant, sample, of_values=True)) for instant in both]
    names = [name for name in view.fingerprints if name in known]
    frames = [
        pl.concat(_rows(opened, view, names, instant, entities) for instant, entities in chosen)
        for opened in (served, store.values(view).open())
    ]
    as_ofs = sorted(instant.as_of for instant in both)
    return ViewDiff(view.full_name, dict(_compare(view, names, frames, as_ofs)), new, tuple(notes))


def _ends(store: OfflineStore, view: FeatureView, now: datetime, sample: Sample) -> tuple[list[Instant], list[str]]:
    """Return the newest end of a partition of a stream view at which values are stored, and others at random."""
    stored = store.values(view).ledger.partitions().filter(is_usable(pl.col("available_at"), now)).sort("as_of")
    ends = [Instant(each["available_at"], each["as_of"], each["available_at"], each) for each in stored.to_dicts()]
    fresh = [end for end in ends if not is_stale(store, view, end)]
    dice = Random(sample.seed)  # noqa: S311 - a sample, no secret
    others = dice.sample(fresh[:-1], min(len(fresh[:-1]), sample.instants - 1))
    stale = len(ends) - len(fresh)
    notes = [f"{stale} instants left out: their inputs changed since they were computed"] if stale else []
    return [*fresh[-1:], *others], notes


def _compare(
    view: FeatureView, names: Sequence[str], frames: Sequence[pl.DataFrame], as_ofs: Sequence[datetime]
) -> Iterator[tuple[str, ValueDiff]]:
    for name in names:
        one, other = (frame.select(*view.keys, "as_of", pl.col(name).alias("value")) for frame in frames)
        yield name, compare_values(one, other, view.keys, as_ofs)


def _rows(
    opened: OpenTable, view: FeatureView, names: Sequence[str], instant: Instant, entities: Sequence[Keys]
) -> pl.DataFrame:
    """Return the stored rows of some entities as of an instant."""
    schema = {key: polars_dtype(dtype) for key, dtype in view.entity.keys.items()}
    wanted = pl.DataFrame(list(entities), schema=schema, orient="row")
    partition = opened.partitions.filter(pl.col("as_of") == pl.lit(instant.as_of, INSTANT))
    rows = opened.scan_some(partition).join(wanted.lazy(), on=view.keys, how="semi")
    return rows.select(*view.keys, "as_of", *names).collect()
