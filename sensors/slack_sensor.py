"""Breaches of freshness and damage to Slack: once per breach, once when it is over, to the channel of the owner."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import dagster as dg
from slack_sdk.errors import SlackApiError
from slack_sdk.web.client import WebClient

from feature_assets.generator import Model
from feature_assets.project.broken import BrokenTeam
from feature_store import FeatureService, FeatureView
from feature_store.model.teams import team
from resources.offline import OfflineStoreResource
from resources.online import OnlineStoreResource
from resources.slack import SlackResource
from sensors.findings import Finding, findings_of
from sensors.messages import Audience

INTERVAL: Final = 30
"""Seconds between two looks: with the daemon's own delay, a breach is in Slack well within 90 s."""

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


def freshness_to_slack(
    views: Sequence[FeatureView],
    services: Sequence[FeatureService] = (),
    models: Sequence[Model] = (),
    broken: Sequence[BrokenTeam] = (),
) -> dg.SensorDefinition:
    """Return the sensor that watches views by their ledgers, by what is served, and by our clock.

    Its cursor holds the open alerts, so that it survives restarts. A message is posted before the cursor moves: when
    Slack does not answer, the next look tries again, and only what was not posted. The code location gives the
    resources ``offline_store``, ``online_store`` and ``slack``.

    Args:
        views: what is watched, of any number of teams.
        services: named in messages as those who are hit.
        models: likewise.
        broken: teams whose views cannot be watched until they are mended; alerts that are open stay open.
    """

    @dg.sensor(
        name="freshness_to_slack",
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells the owner of a view when it breaks its SLA or is damaged, and when that is over.",
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
        if not broken:
            cursor.forget_all_but(views)
        client, audience = slack.get_client(), Audience(services, models, slack.ui_url)
        # Who owns several views of a source hears of it by the first of them.
        telling = {(view.owner, view.source.asset): view for view in reversed(views)}
        posted = failed = 0
        for view in cursor.from_next(views):
            cursor.next = view.full_name
            if time.monotonic() > deadline:
                break
            now = datetime.now(UTC)
            tells = telling[view.owner, view.source.asset] is view
            store = offline_store.store
            for finding in findings_of(view, store, online_store, now, audience, with_source=tells):
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
        return dg.SkipReason("; ".join([counts, *map(str, broken)]))

    return watch


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
