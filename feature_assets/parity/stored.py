"""The stores against a second computation: sampled entities and instants, offline and online."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from feature_assets.parity.compare import compare_entity, compare_values
from feature_assets.parity.raw_rows import Keys
from feature_assets.parity.reading import Served, offline_values, online_values
from feature_assets.parity.recompute import Recomputed, recompute
from feature_assets.parity.report import Compared, Place, Values, ViewParity
from feature_assets.parity.sampling import Instant, Sample, choose_entities, choose_instants
from feature_assets.parity.text import iso
from feature_store import Feature, FeatureView, Status
from feature_store.errors import FingerprintError
from feature_store.offline.tables.store import OfflineStore
from serving.load.sync import outdated_as_ofs
from serving.stores.errors import StoreError
from serving.stores.open_store import open_loader

OFFLINE: Final = "offline"
ONLINE: Final = "online"
COPIES: Final = "online = offline"


def check_stored(
    store: OfflineStore, view: FeatureView, online_url: str | None, now: datetime, sample: Sample | None = None
) -> ViewParity:
    """Compare stored values of sampled entities at sampled instants with values recomputed from raw rows.

    What is available offline is read by the point-in-time join, what is online by the Python client: what is checked is
    what models and training sets get.

    Args:
        store: the offline store.
        view: the view.
        online_url: of the online store; None: compare the offline store only.
        now: with a zone; partitions available before it are looked at.
        sample: how much to look at; None: a few entities at a few instants.

    Returns:
        What was compared; notes say which part of the sample could not be. What was written anew and not loaded since
        is not compared online.
    """
    chosen = sample or Sample()
    instants, notes = choose_instants(store, view, now, chosen)
    values: list[Compared] = []
    problems = [] if instants else ["nothing to compare: no partition is available and up to date"]
    outdated = set() if online_url is None else _outdated(store, view, online_url, problems)
    for instant in instants:
        entities = choose_entities(store, view, instant, chosen, of_values=not view.is_stream)
        if not entities:
            notes.append(f"as-of {iso(instant.as_of)} contains no entity, and no entity has earlier rows")
            continue
        recomputed = recompute(store, view, entities, instant, chosen.rows)
        if len(recomputed.values) < len(entities):
            left_out = len(entities) - len(recomputed.values)
            notes.append(f"{left_out} entities left out: they have too many of the {chosen.rows:,} rows that are read")
        offline = offline_values(store, view, entities, instant.time)
        values += _compare(OFFLINE, instant.time, recomputed, offline)
        if instant.partition["as_of"] in outdated:
            notes.append(f"as-of {iso(instant.as_of)} is not compared online: it was written anew and is to be loaded")
            continue
        served = None if online_url is None else _served(online_url, view, entities, instant, problems)
        if served is not None and served.as_of == instant.as_of:
            known = replace(recomputed, values=_known(recomputed.values))
            values += _compare(ONLINE, instant.time, known, _known(served.values))
            values += _copies(view, instant.time, _known(offline), _known(served.values))
        elif served is not None:
            notes.append(_not_online(instant, served))
    if instants and not values:
        problems.append("nothing was compared: see what was left out")
    return ViewParity(view.full_name, values, tuple(notes), tuple(dict.fromkeys(problems)))


def _known(values: Mapping[Keys, Values]) -> dict[Keys, Values]:
    """Leave out what is not known: of a stream, each store may lack another time."""
    return {
        keys: {name: value for name, value in own.items() if value.status != Status.NOT_COMPUTED}
        for keys, own in values.items()
    }


def _served(
    url: str, view: FeatureView, entities: Sequence[Keys], instant: Instant, problems: list[str]
) -> Served | None:
    """Return what is served, or None and a problem: the offline store is worth checking all the same."""
    try:
        return online_values(url, view, entities, instant.time)
    except (StoreError, FingerprintError) as error:
        problems.append(f"the online store cannot be read: {error}")
        return None


def _outdated(store: OfflineStore, view: FeatureView, url: str, problems: list[str]) -> set[datetime]:
    """Return the as-ofs of which the online store holds an earlier content: it is about to be loaded anew."""
    try:
        with closing(open_loader(url)) as writer:
            return set(outdated_as_ofs(store, view, writer))
    except (StoreError, FingerprintError) as error:
        problems.append(f"the online store cannot be read: {error}")
        return set()


def _not_online(instant: Instant, served: Served) -> str:
    shown = "nothing" if served.as_of is None else f"as-of {iso(served.as_of)}"
    return f"as-of {iso(instant.as_of)} is not compared online: {shown} is online for T {iso(instant.time)}"


def _compare(path: str, time: datetime, recomputed: Recomputed, found: Mapping[Keys, Values]) -> Iterator[Compared]:
    view = recomputed.view
    for keys, expected in recomputed.values.items():
        place = Place(path, dict(zip(view.keys, keys, strict=True)), time)
        scale = partial(recomputed.scale, keys)
        yield from compare_entity(view, place, expected, found[keys], scale)


def _copies(
    view: FeatureView, time: datetime, offline: Mapping[Keys, Values], online: Mapping[Keys, Values]
) -> Iterator[Compared]:
    """Compare both stores with each other: they hold copies of one computation, equal to the last bit."""
    for keys, values in offline.items():
        place = Place(COPIES, dict(zip(view.keys, keys, strict=True)), time)
        yield from compare_values(view, place, values, online[keys], _exactly)


def _exactly(_feature: Feature) -> float:
    return 0.0
