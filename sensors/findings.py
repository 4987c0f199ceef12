"""Findings about a view at an instant: stale, landed but not served, damaged, or not to be judged at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from feature_assets.generator.freshness import freshness_of, served_freshness_of
from feature_store import FeatureView
from feature_store.offline.tables.store import OfflineStore
from resources.online import OnlineStoreResource
from sensors.damage import Damage, damages_of
from sensors.messages import Audience
from serving.stores.store import READ_TIMEOUT

STALE: Final = "stale"
NOT_SERVED: Final = "not served"
NOT_JUDGED: Final = "not judged"


@dataclass(frozen=True)
class Finding:
    """Whether one thing is wrong with a view, and what to say when that begins or ends.

    Attributes:
        view: whose.
        kind: ``STALE``, ``NOT_SERVED``, ``NOT_JUDGED``, or one of ``sensors.damage``.
        is_wrong: at this instant.
        breach: returns the message of its beginning.
        recovery: returns the message of its end, from how long it was wrong.
    """

    view: FeatureView
    kind: str
    is_wrong: bool
    breach: Callable[[], str]
    recovery: Callable[[timedelta], str]

    @property
    def name(self) -> str:
        """The identity of an open alert."""
        return f"{self.view.full_name} {self.kind}"


def findings_of(
    view: FeatureView,
    offline: OfflineStore,
    online: OnlineStoreResource,
    now: datetime,
    audience: Audience,
    *,
    with_source: bool = True,
) -> Iterator[Finding]:
    """Judge a view by its ledgers and by what is served.

    A store that cannot be read is a finding of its own; what was found before by what it holds stays as it is. A view
    is not served where the online store has older values than have landed, and older ones than it may have: nobody is
    told twice of what is missing in both.

    Args:
        view: the view.
        offline: the offline store.
        online: the online store.
        now: this instant.
        audience: who is told.
        with_source: tell of a damaged source, too.
    """
    unread: str | None = None
    try:
        yield from (_damaged(damage, audience) for damage in damages_of(offline, view, with_source=with_source))
    except Exception as error:  # noqa: BLE001 - whatever it is, its owner is told, and the view is judged by the rest
        unread = _reason(error)
    try:
        landed = freshness_of(offline, view, now)
    except Exception as error:  # noqa: BLE001 - whatever it is, its owner is told, and the other views are judged
        yield _judged(view, audience, _reason(error))
        return
    yield Finding(
        view,
        STALE,
        landed.is_breached,
        lambda: audience.stale(landed),
        lambda alerted: audience.fresh_again(landed, alerted),
    )
    try:
        with online.writer(timeout=READ_TIMEOUT) as writer:
            served = served_freshness_of(writer, view, now)
    except Exception as error:  # noqa: BLE001 - likewise
        yield _judged(view, audience, _reason(error))
        return
    yield _judged(view, audience, unread)
    has_older = landed.as_of is not None and (served.as_of is None or served.as_of < landed.as_of)
    yield Finding(
        view,
        NOT_SERVED,
        served.is_breached and has_older,
        lambda: audience.not_served(landed, served),
        lambda alerted: audience.served_again(served, alerted),
    )


def _damaged(damage: Damage, audience: Audience) -> Finding:
    return Finding(
        damage.view,
        damage.kind,
        bool(damage.problems),
        lambda: audience.damaged(damage),
        lambda alerted: audience.sound_again(damage, alerted),
    )


def _judged(view: FeatureView, audience: Audience, problem: str | None) -> Finding:
    return Finding(
        view,
        NOT_JUDGED,
        problem is not None,
        lambda: audience.not_judged(view, problem or ""),
        lambda alerted: audience.judged_again(view, alerted),
    )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
