"""What alerts say: who owns it, what was promised, how bad it is, who is hit, where to look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import quote

from feature_assets.generator.freshness import Freshness, span_text
from feature_assets.generator.keys import table_key
from feature_assets.generator.training_assets import Model
from feature_store import FeatureService, FeatureView


def breach_text(freshness: Freshness, readers: Sequence[str], ui_url: str) -> str:
    """Return the message of a breach, in Slack's markup."""
    view, stale = freshness.view, freshness.breached_features
    lines = [
        f":rotating_light: *{view.full_name} is stale*: {_state(freshness)}",
        f"Owner: {view.owner}",
        f"Stale features: {len(stale)} of {len(view.stored_features)} ({_some(stale)})",
        f"Read by: {', '.join(readers) or 'no service'}",
        asset_link(view, ui_url),
    ]
    return "\n".join(lines)


def recovery_text(freshness: Freshness, readers: Sequence[str], ui_url: str, alerted: timedelta) -> str:
    """Return the message of a recovery, in Slack's markup; ``alerted`` is how long the alert was open."""
    view = freshness.view
    lines = [
        f":white_check_mark: *{view.full_name} is fresh again*: {_state(freshness)}",
        f"Owner: {view.owner}. The alert was open for {span_text(alerted)}",
        f"Read by: {', '.join(readers) or 'no service'}",
        asset_link(view, ui_url),
    ]
    return "\n".join(lines)


def readers_of(view: FeatureView, services: Sequence[FeatureService], models: Sequence[Model]) -> list[str]:
    """Return who is hit when a view is stale: services that read it, and the models that read these."""
    reading = [service for service in services if view in service.views]
    named = [model for model in models if model.service in reading]
    return [
        *(f"service {service.full_name} ({service.owner})" for service in reading),
        *(f"model {model.name} ({model.owner})" for model in named),
    ]


def asset_link(view: FeatureView, ui_url: str) -> str:
    """Return a link to the view's table in the Dagster UI."""
    path = "/".join(quote(part) for part in table_key(view).path)
    return f"<{ui_url.rstrip('/')}/assets/{path}|Open in Dagster>"


def _state(freshness: Freshness) -> str:
    allowed = f"the SLA allows {span_text(freshness.sla)}"
    if freshness.as_of is None:
        return f"no values are available, the first were due {span_text(freshness.age)} ago; {allowed}"
    return (
        f"the newest values are as of {freshness.as_of:%Y-%m-%d %H:%M} UTC, {span_text(freshness.age)} ago; {allowed}"
    )


def _some(names: Sequence[str], shown: int = 5) -> str:
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + rest
