"""Freshness breaches and recoveries to Slack: once per breach, once when it is over, to the channel of the owner."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import dagster as dg
from slack_sdk.errors import SlackApiError
from slack_sdk.web.client import WebClient

from feature_assets.generator import Model
from feature_assets.generator.freshness import freshness_of
from feature_store import FeatureService, FeatureView
from feature_store.teams import team
from resources.offline import OfflineStoreResource
from resources.slack import SlackResource
from sensors.messages import breach_text, readers_of, recovery_text

INTERVAL: Final = 30
"""Seconds between two looks: with the daemon's own delay, a breach is in Slack well within 90 s."""


def freshness_to_slack(
    views: Sequence[FeatureView], services: Sequence[FeatureService] = (), models: Sequence[Model] = ()
) -> dg.SensorDefinition:
    """Return the sensor that watches views by their ledgers and our clock.

    Its cursor holds the open breaches, so that it survives restarts. A message is posted before the cursor moves: when
    Slack does not answer, the next tick tries again, and only what was not posted.

    Args:
        views: what is watched.
        services: named in messages as those who are hit.
        models: likewise.
    """

    @dg.sensor(
        name="freshness_to_slack",
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells the owner of a view when it breaks its freshness SLA, and when it is fresh again.",
    )
    def watch(
        context: dg.SensorEvaluationContext, offline_store: OfflineStoreResource, slack: SlackResource
    ) -> dg.SkipReason:
        if not slack.token:
            return dg.SkipReason("no Slack token is set, so nothing can be posted: set FEATURES_SLACK_TOKEN")
        client = slack.get_client()
        breaches: dict[str, str] = json.loads(context.cursor or "{}")
        listed = {view.full_name for view in views}
        breaches = {name: since for name, since in breaches.items() if name in listed}
        posted = failed = 0
        for view in views:
            now = datetime.now(UTC)
            freshness = freshness_of(offline_store.store, view, now)
            since = breaches.get(view.full_name)
            if freshness.is_breached == (since is not None):
                continue
            readers = readers_of(view, services, models)
            if since is None:
                text = breach_text(freshness, readers, slack.ui_url)
            else:
                text = recovery_text(freshness, readers, slack.ui_url, now - datetime.fromisoformat(since))
            if not _post(context, client, team(view.owner, view.full_name).slack_channel, text):
                failed += 1
                continue
            posted += 1
            if since is None:
                breaches[view.full_name] = now.isoformat()
            else:
                del breaches[view.full_name]
        context.update_cursor(json.dumps(breaches))
        return dg.SkipReason(f"{len(views)} views, {len(breaches)} stale, {posted} posted, {failed} not posted")

    return watch


def _post(context: dg.SensorEvaluationContext, client: WebClient, channel: str, text: str) -> bool:
    """Post a message; a failure is logged and tried again at the next tick, so that it does not hide other alerts."""
    try:
        client.chat_postMessage(channel=channel, text=text, unfurl_links=False)
    except (SlackApiError, OSError) as error:
        context.log.error("Slack did not take the alert for %s: %s", channel, error)
        return False
    return True
