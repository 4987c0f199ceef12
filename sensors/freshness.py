"""Are views as fresh as they promise, and is what landed served? Told within 90 seconds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import dagster as dg

from feature_assets.generator.freshness import freshness_of, served_freshness_of
from feature_store import FeatureView
from sensors.findings import NOT_SERVED, STALE, Finding, not_judged, reason_of
from sensors.messages import Audience
from sensors.slack_sensor import Stores, Watched, slack_sensor
from serving.stores.store import READ_TIMEOUT

INTERVAL: Final = 30
"""Seconds between two looks: with the daemon's own delay, a breach is in Slack well within 90 s."""


def freshness_to_slack(watched: Watched) -> dg.SensorDefinition:
    """Return the sensor that watches views by their ledgers, by what is served, and by our clock."""
    described = "Tells the owner of a view when it breaks its SLA, and when that is over."
    return slack_sensor("freshness_to_slack", INTERVAL, described, watched, staleness_of)


def staleness_of(view: FeatureView, stores: Stores, now: datetime, audience: Audience) -> Iterator[Finding]:
    """Judge a view by its ledger and by what is served.

    A store that cannot be read is a finding of its own; what was found before by what it holds stays as it is. A view
    is not served where the online store has older values than have landed, and older ones than it may have: nobody is
    told twice of what is missing in both.

    Args:
        view: the view.
        stores: what is looked at.
        now: this instant.
        audience: who is told.
    """
    try:
        landed = freshness_of(stores.offline, view, now)
    except Exception as error:  # noqa: BLE001 - whatever it is, its owner is told, and the other views are judged
        yield not_judged(view, audience, reason_of(error))
        return
    yield Finding(
        view,
        STALE,
        landed.is_breached,
        lambda: audience.stale(landed),
        lambda alerted: audience.fresh_again(landed, alerted),
    )
    try:
        with stores.online.writer(timeout=READ_TIMEOUT) as writer:
            served = served_freshness_of(writer, view, now)
    except Exception as error:  # noqa: BLE001 - likewise
        yield not_judged(view, audience, reason_of(error))
        return
    yield not_judged(view, audience, None)
    has_older = landed.as_of is not None and (served.as_of is None or served.as_of < landed.as_of)
    yield Finding(
        view,
        NOT_SERVED,
        served.is_breached and has_older,
        lambda: audience.not_served(landed, served),
        lambda alerted: audience.served_again(served, alerted),
    )
