"""What the stores hold against a second computation: sampled entities and instants, offline and online."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from feature_assets.parity.compare import compare_entity, compare_values
from feature_assets.parity.raw_rows import Keys
from feature_assets.parity.reading import Values, offline_values, online_values
from feature_assets.parity.recompute import Recomputed, recompute
from feature_assets.parity.report import Compared, Place, ViewParity
from feature_assets.parity.sampling import Instant, Sample, choose_entities, choose_instants
from feature_store import Feature, FeatureView
from feature_store.offline.store import OfflineStore

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
        What was compared; notes say which part of the sample could not be.
    """
    chosen = sample or Sample()
    instants, notes = choose_instants(store, view, now, chosen)
    values: list[Compared] = []
    for instant in instants:
        entities = choose_entities(store, view, instant, chosen)
        if entities:
            compared, left_out = _at_instant(store, view, online_url, instant, entities)
            values += compared
            notes += left_out
    return ViewParity(view.full_name, values, tuple(notes))


def _at_instant(
    store: OfflineStore, view: FeatureView, online_url: str | None, instant: Instant, entities: Sequence[Keys]
) -> tuple[list[Compared], list[str]]:
    recomputed = recompute(store, view, entities, instant.as_of, instant.partition["available_at"], instant.time)
    offline = offline_values(store, view, entities, instant.time)
    compared = list(_compare(OFFLINE, instant.time, recomputed, offline))
    if online_url is None:
        return compared, []
    served = online_values(online_url, view, entities, instant.time)
    if served.as_of == instant.as_of:
        compared += _compare(ONLINE, instant.time, recomputed, served.values)
        return [*compared, *_copies(view, instant.time, offline, served.values)], []
    shown = "nothing" if served.as_of is None else f"as-of {served.as_of.isoformat()}"
    note = (
        f"as-of {instant.as_of.isoformat()} is not compared online: at T {instant.time.isoformat()} {shown} is served"
    )
    return compared, [note]


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
