"""Damage that the ledgers list, to Slack: whoever meets it lists it, this sensor tells it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import dagster as dg

from feature_assets.generator.freshness import freshness_of
from feature_store import FeatureView
from sensors.damage import Damage, damages_of
from sensors.findings import Finding, not_judged, reason_of
from sensors.messages import Audience
from sensors.slack_sensor import Stores, Watched, slack_sensor

INTERVAL: Final = 300
"""Seconds between two looks: one at a view reads all its ledgers, some 50 ms, and readers raise meanwhile."""


def damage_to_slack(watched: Watched) -> dg.SensorDefinition:
    """Return the sensor that watches what the ledgers of views and of their sources list as damaged."""
    # Who owns several views of a source hears of it by the first of them.
    telling = {(view.owner, view.source.asset): view for view in reversed(watched.views)}

    def found(view: FeatureView, stores: Stores, now: datetime, audience: Audience) -> Iterator[Finding]:
        return _damage_of(view, stores, now, audience, with_source=telling[view.owner, view.source.asset] is view)

    described = "Tells the owner of a view when something that is stored of it is damaged, and when it is whole again."
    return slack_sensor("damage_to_slack", INTERVAL, described, watched, found)


def _damage_of(
    view: FeatureView, stores: Stores, now: datetime, audience: Audience, *, with_source: bool
) -> Iterator[Finding]:
    """Judge a view by what its ledgers list; one that cannot be read is a finding of its own."""
    unread: str | None = None
    try:
        yield from (_finding(damage, audience) for damage in damages_of(stores.offline, view, with_source=with_source))
    except Exception as error:  # noqa: BLE001 - whatever it is, its owner is told, and the other views are judged
        unread = reason_of(error)
    if unread is not None and _is_judged(view, stores, now):
        yield not_judged(view, audience, unread)
    elif unread is None:
        yield not_judged(view, audience, None)


def _is_judged(view: FeatureView, stores: Stores, now: datetime) -> bool:
    """Return whether its freshness can be judged: if not, the owner hears of it by that."""
    try:
        freshness_of(stores.offline, view, now)
    except Exception:  # noqa: BLE001 - whatever it is, the sensor of freshness tells it
        return False
    return True


def _finding(damage: Damage, audience: Audience) -> Finding:
    return Finding(
        damage.view,
        damage.kind,
        bool(damage.problems),
        lambda: audience.damaged(damage),
        lambda alerted: audience.sound_again(damage, alerted),
    )
