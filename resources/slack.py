"""Slack as a Dagster resource whose API may be elsewhere: a proxy, or a test's own server."""

from __future__ import annotations

from dagster_slack import SlackResource as DagsterSlackResource
from slack_sdk.web.client import WebClient


class SlackResource(DagsterSlackResource):
    """Posts messages.

    Attributes:
        token: of a bot that may ``chat:write``, as ``dg.EnvVar(...)`` since Dagster shows it; empty: none.
        base_url: of Slack's Web API, with a slash at its end.
        timeout: seconds to wait for an answer.
        ui_url: where the links in messages lead: the Dagster UI.
    """

    base_url: str = "https://slack.com/api/"
    timeout: int = 10
    ui_url: str = "http://127.0.0.1:3000"

    def get_client(self) -> WebClient:
        """Return a client of the configured API."""
        return WebClient(self.token, base_url=self.base_url, timeout=self.timeout)
