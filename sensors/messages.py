"""Texts of alerts: who owns it, what was promised, how bad it is, who is hit, where to look. In Slack's markup."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import quote

import dagster as dg

from feature_assets.generator.keys import online_key, table_key
from feature_assets.generator.training_assets import Model
from feature_store import FeatureService, FeatureView
from feature_store.catalog.documents import Definition, features_read
from feature_store.quality.freshness import Freshness, span_text
from sensors.damage import Damage

LONGEST: Final = 3000
"""Characters that Slack shows of a message at least."""

_LONGEST_REASON: Final = 500
_SHOWN: Final = 3
"""Damaged days or copies that a message names."""

Recorded = Callable[[], Sequence[Definition]]


@dataclass(frozen=True)
class Audience:
    """Who is told, and who is hit.

    Attributes:
        services: whose readers are named.
        models: likewise.
        ui_url: where links lead.
        recorded: gives what the catalog records, whose services are named too: those of other repositories.
    """

    services: Sequence[FeatureService]
    models: Sequence[Model]
    ui_url: str
    recorded: Recorded = tuple

    def stale(self, freshness: Freshness) -> str:
        """Return the message of values that should be there and are not."""
        view, stale = freshness.view, freshness.breached_features
        return self._message(
            f":rotating_light: *{view.full_name} is stale*: {_state(freshness)}",
            view,
            table_key(view),
            f"Stale features: {len(stale)} of {len(view.stored_features)} ({_some(stale)})",
        )

    def fresh_again(self, freshness: Freshness, alerted: timedelta) -> str:
        """Return the message of values that are there again; ``alerted`` is how long the alert was open."""
        view = freshness.view
        text = f":white_check_mark: *{view.full_name} is fresh again*: {_state(freshness)}"
        return self._message(text, view, table_key(view), _was_open(alerted))

    def not_served(self, landed: Freshness, served: Freshness) -> str:
        """Return the message of values that have landed, and are not served although they should be."""
        view, newest = landed.view, f"{landed.as_of:%Y-%m-%d %H:%M} UTC"
        text = f":rotating_light: *{view.full_name} landed, but is not served*: values as of {newest} have landed"
        return self._message(f"{text}; online, {_state(served)}", view, online_key(view))

    def served_again(self, served: Freshness, alerted: timedelta) -> str:
        """Return the message of values that are served again."""
        view = served.view
        text = f":white_check_mark: *{view.full_name} is served again*: {_state(served)}"
        return self._message(text, view, online_key(view), _was_open(alerted))

    def not_judged(self, view: FeatureView, reason: str) -> str:
        """Return the message of a view about which nothing can be said."""
        text = f":warning: *{view.full_name} cannot be judged*: {reason[:_LONGEST_REASON]}"
        return self._message(text, view, table_key(view))

    def judged_again(self, view: FeatureView, alerted: timedelta) -> str:
        """Return the message of a view that can be judged again."""
        text = f":white_check_mark: *{view.full_name} can be judged again*"
        return self._message(text, view, table_key(view), _was_open(alerted))

    def damaged(self, damage: Damage) -> str:
        """Return the message of something stored that is not as it was written: what, since when, what to do."""
        text = f":rotating_light: *{damage.what} is damaged*: {_some(damage.problems, _SHOWN)}"
        return self._message(text, damage.view, damage.asset, f"To do: {damage.cure}")

    def sound_again(self, damage: Damage, alerted: timedelta) -> str:
        """Return the message of something that is as it was written again."""
        text = f":white_check_mark: *{damage.what} is sound again*"
        return self._message(text, damage.view, damage.asset, _was_open(alerted))

    def _message(self, first: str, view: FeatureView, asset: dg.AssetKey, *more: str) -> str:
        known = readers_of(view, self.services, self.models)
        readers = _some([*known, *self._recorded_readers(view, known)]) or "no service"
        lines = [first, f"Owner: {view.owner}", *more, f"Read by: {readers}", _asset_link(asset, self.ui_url)]
        return "\n".join(lines)[:LONGEST]

    def _recorded_readers(self, view: FeatureView, known: Sequence[str]) -> list[str]:
        reading = [
            f"service {each.name} ({each.owner})"
            for each in self.recorded()
            if each.kind == "service" and view.full_name in {name for name, _ in features_read(each.document)}
        ]
        return [each for each in reading if each not in known]


def readers_of(view: FeatureView, services: Sequence[FeatureService], models: Sequence[Model]) -> list[str]:
    """Return who is hit when a view is stale: services that read it, and the models that read these."""
    reading = [service for service in services if view in service.views]
    named = [model for model in models if model.service in reading]
    return [
        *(f"service {service.full_name} ({service.owner})" for service in reading),
        *(f"model {model.name} ({model.owner})" for model in named),
    ]


def _asset_link(asset: dg.AssetKey, ui_url: str) -> str:
    path = "/".join(quote(part) for part in asset.path)
    return f"<{ui_url.rstrip('/')}/assets/{path}|Open in Dagster>"


def _was_open(alerted: timedelta) -> str:
    return f"The alert was open for {span_text(alerted)}"


def _state(freshness: Freshness) -> str:
    allowed = "no freshness is promised" if freshness.sla is None else f"the SLA allows {span_text(freshness.sla)}"
    if freshness.as_of is None:
        due = f", the first were due {span_text(freshness.overdue)} ago" if freshness.is_breached else ""
        return f"no values are available{due}; {allowed}"
    return (
        f"the newest values are as of {freshness.as_of:%Y-%m-%d %H:%M} UTC, {span_text(freshness.age)} ago; {allowed}"
    )


def _some(names: Sequence[str], shown: int = 5) -> str:
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + rest
