"""A sensor whose findings go to Slack: once per breach, once when it is over, to the channel of the owner."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import Final, NamedTuple

import dagster as dg
from slack_sdk.errors import SlackApiError
from slack_sdk.web.client import WebClient
from sqlalchemy.exc import SQLAlchemyError

from feature_assets.generator import Model
from feature_assets.project.broken import BrokenTeam
from feature_store import FeatureService, FeatureView
from feature_store.catalog.documents import Definition
from feature_store.errors import FeatureStoreError
from feature_store.model.teams import team
from feature_store.offline.tables.store import OfflineStore
from resources.offline import OfflineStoreResource
from resources.online import OnlineStoreResource
from resources.slack import SlackResource
from sensors.findings import Finding
from sensors.messages import Audience, Recorded

BUDGET: Final = 20.0
"""Seconds after which a look ends, to go on at the next one: Dagster gives up, and forgets the cursor, after 60.

A view that is begun in time may take some more: for each thing that is to be told Slack is waited for 10 s.
"""


@dataclass
class Cursor:
    """The state kept between two looks.

    Attributes:
        open: since when alerts are open, by their names.
        next: full name of the view at which the next look begins; empty: at the first one.
    """

    open: dict[str, str] = field(default_factory=dict)
    next: str = ""

    @staticmethod
    def of(text: str | None) -> Cursor:
        """Read a cursor; one that another version wrote counts as none."""
        kept = json.loads(text or "{}")
        return Cursor(**kept) if kept.keys() == {"open", "next"} else Cursor()

    def __str__(self) -> str:
        return json.dumps(vars(self))

    def from_next(self, views: Sequence[FeatureView]) -> list[FeatureView]:
        """Return all views, beginning where the last look ended."""
        place = next((place for place, view in enumerate(views) if view.full_name == self.next), 0)
        return [*views[place:], *views[:place]]

    def forget_all_but(self, views: Sequence[FeatureView]) -> None:
        """Drop alerts of views that are watched no more."""
        names = {view.full_name for view in views}
        self.open = {alert: since for alert, since in self.open.items() if alert.split(" ")[0] in names}


@dataclass(frozen=True)
class Watched:
    """What is watched, and who is told.

    Attributes:
        views: of any number of teams.
        services: named in messages as those who are hit.
        models: likewise.
        broken: teams whose views cannot be watched until they are mended; alerts that are open stay open.
        recorded: gives what the catalog records, for those who are hit in other repositories.
    """

    views: Sequence[FeatureView]
    services: Sequence[FeatureService] = ()
    models: Sequence[Model] = ()
    broken: Sequence[BrokenTeam] = ()
    recorded: Recorded = tuple


class Stores(NamedTuple):
    """Where a sensor looks.

    Attributes:
        offline: the offline store.
        online: the online store.
    """

    offline: OfflineStore
    online: OnlineStoreResource


Finder = Callable[[FeatureView, Stores, datetime, Audience], Iterable[Finding]]
"""Judges a view at an instant."""


def slack_sensor(name: str, seconds: int, description: str, watched: Watched, find: Finder) -> dg.SensorDefinition:
    """Return a sensor that judges views one after another, and tells their owners.

    Its cursor holds the open alerts, so that it survives restarts. A message is posted before the cursor moves: when
    Slack does not answer, the next look tries again, and only what was not posted. The code location gives the
    resources ``offline_store``, ``online_store`` and ``slack``.

    Args:
        name: of the sensor.
        seconds: between two looks.
        description: of what it tells.
        watched: the views, and who is told.
        find: judges a view.
    """
    views = watched.views

    @dg.sensor(
        name=name,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def watch(
        context: dg.SensorEvaluationContext,
        offline_store: OfflineStoreResource,
        online_store: OnlineStoreResource,
        slack: SlackResource,
    ) -> dg.SkipReason:
        if not slack.token:
            return dg.SkipReason("no Slack token is set, so nothing can be posted: set FEATURES_SLACK_TOKEN")
        cursor, deadline = Cursor.of(context.cursor), time.monotonic() + BUDGET
        if not watched.broken:
            cursor.forget_all_but(views)
        recorded = cache(partial(_recorded, context, watched.recorded))
        client, audience = slack.get_client(), Audience(watched.services, watched.models, slack.ui_url, recorded)
        posted = failed = 0
        for view in cursor.from_next(views):
            cursor.next = view.full_name
            if time.monotonic() > deadline:
                break
            now = datetime.now(UTC)
            for finding in find(view, Stores(offline_store.store, online_store), now, audience):
                text = _news(finding, cursor, now)
                if text is None:
                    continue
                if not _post(context, client, team(view.owner, view.full_name).slack_channel, text):
                    failed += 1
                    continue
                posted += 1
                _note(finding, cursor, now)
                context.update_cursor(str(cursor))
        else:
            cursor.next = ""
        context.update_cursor(str(cursor))
        counts = f"{len(views)} views, {len(cursor.open)} alerts open, {posted} posted, {failed} not posted"
        return dg.SkipReason("; ".join([counts, *map(str, watched.broken)]))

    return watch


def _recorded(context: dg.SensorEvaluationContext, recorded: Recorded) -> Sequence[Definition]:
    """Return what the catalog records; an alert does not wait for a catalog that cannot be read."""
    try:
        return recorded()
    except (FeatureStoreError, SQLAlchemyError) as error:
        context.log.warning("readers of other repositories are not named: the catalog cannot be read: %s", error)
        return ()


def _news(finding: Finding, cursor: Cursor, now: datetime) -> str | None:
    """Return what is to be told; None: nothing that was not told before."""
    since = cursor.open.get(finding.name)
    if finding.is_wrong == (since is not None):
        return None
    return finding.breach() if since is None else finding.recovery(now - datetime.fromisoformat(since))


def _note(finding: Finding, cursor: Cursor, now: datetime) -> None:
    """Note down that it was told."""
    if finding.is_wrong:
        cursor.open[finding.name] = now.isoformat()
    else:
        del cursor.open[finding.name]


def _post(context: dg.SensorEvaluationContext, client: WebClient, channel: str, text: str) -> bool:
    """Post a message; a failure is logged and tried again at the next tick, so that it does not hide other alerts."""
    try:
        client.chat_postMessage(channel=channel, text=text, unfurl_links=False)
    except (SlackApiError, OSError) as error:
        context.log.error("Slack did not take the alert for %s: %s", channel, error)
        return False
    return True
