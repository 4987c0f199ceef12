"""The value of a feature as everybody has it: recomputed, offline, online; and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from feature_assets.explain.explanation import Sides
from feature_assets.parity.compare import Scale, compare_entity
from feature_assets.parity.raw_rows import Keys
from feature_assets.parity.reading import online_values
from feature_assets.parity.report import Place, Value, Values
from feature_assets.parity.text import iso
from feature_store import Feature, FeatureView, Status
from serving.stores.errors import StoreError

OFFLINE: Final = "offline"
ONLINE: Final = "online"


@dataclass(frozen=True)
class Online:
    """The served values of one entity at T.

    Attributes:
        values: by feature; None: nothing can be compared.
        note: why not.
    """

    values: Values | None
    note: str = ""


def read_online(url: str | None, view: FeatureView, keys: Keys, time: datetime, as_of: datetime | None) -> Online:
    """Return every feature of one entity as it is served at T, where that is of the same as-of.

    Args:
        url: of the online store; None: there is none.
        view: the view.
        keys: of the entity.
        time: T.
        as_of: of the partition that T is answered from offline; None: of none.
    """
    if url is None:
        return Online(None, "not asked for")
    try:
        served = online_values(url, view, [keys], time)
    except StoreError as error:
        return Online(None, str(error))
    if served.as_of is None:
        return Online(None, "holds nothing that was served at T: not loaded, or replaced since")
    if served.as_of != as_of:
        return Online(None, f"answers this T from as-of {iso(served.as_of)}")
    return Online(served.values[keys])


def sides_of(
    view: FeatureView, place: Place, recomputed: Values, offline: Values, online: Online, scale: Scale
) -> dict[str, Sides]:
    """Put the values of every feature beside each other.

    Args:
        view: the view.
        place: the entity and T.
        recomputed: values; none, where there is nothing to recompute them from.
        offline: values.
        online: values, if any.
        scale: see ``compare_entity``.
    """
    known = {OFFLINE: offline}
    if online.values is not None:
        known[ONLINE] = _known_to_both(view, offline, online.values)
    wrong: dict[str, list[str]] = {}
    for path, values in known.items():
        for compared in compare_entity(view, replace(place, path=path), recomputed, values, scale):
            if not compared.is_same:
                wrong.setdefault(compared.feature, []).append(path)
    sides: dict[str, Sides] = {}
    for feature in view.features:
        name = feature.name
        own = {path: values[name] for path, values in known.items() if name in values}
        served = None if online.values is None else online.values[name]
        verdict = _verdict(feature, recomputed.get(name), own, served, wrong.get(name, []))
        agree = not verdict.startswith(_DIFFERENT)
        sides[name] = Sides(recomputed.get(name), offline[name], served, online.note, verdict, agree)
    return sides


_DIFFERENT: Final = "DIFFERENT"

_BOUNDS: Final = {
    "approx_percentile": "within the stated 1 % of the recomputed value",
    "approx_n_unique": "within four standard errors (6 %) of the recomputed count",
}
"""The relative error of approximations; other floats may differ by rounding."""


def _known_to_both(view: FeatureView, offline: Values, online: Values) -> Values:
    """Return what can be compared of what is served: of a stream, one store may know what the other was not told."""
    if not view.is_stream:
        return online
    return {name: value for name, value in online.items() if _is_known(value) == _is_known(offline[name])}


def _is_known(value: Value) -> bool:
    return value.status != Status.NOT_COMPUTED


def _verdict(
    feature: Feature, recomputed: Value | None, known: Mapping[str, Value], served: Value | None, wrong: list[str]
) -> str:
    if served is not None and served.status == Status.DAMAGED:
        return f"{_DIFFERENT}: the row online is damaged; `features verify VIEW --online --repair` loads it again"
    if wrong:
        return f"{_DIFFERENT}: {' and '.join(wrong)} not as recomputed"
    if served is not None and ONLINE not in known and not _is_known(known[OFFLINE]):
        return "not comparable: only the online store knows the value"
    if recomputed is not None:
        kind = "" if feature.aggregation is None else feature.aggregation.kind
        is_exact = all(value == recomputed for value in known.values())
        how = "as recomputed" if is_exact else _BOUNDS.get(kind, "as recomputed, but for rounding")
        return f"same: {' and '.join(known)} {how}"
    if ONLINE not in known:
        return "nothing to recompute from"
    if known[OFFLINE] == known[ONLINE]:
        return "nothing to recompute from; offline and online are the same"
    return f"{_DIFFERENT}: offline and online"
