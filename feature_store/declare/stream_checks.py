"""Checks of stream views: tiles of seconds that merge at any T ask more of windows than partitions do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from feature_store.declare.drafts import AggregateDraft, FeatureDraft
from feature_store.errors import DefinitionError
from feature_store.model.features import Feature
from feature_store.model.kinds import KINDS
from feature_store.model.sources import EventSource, Source
from feature_store.temporal.durations import format_duration


def check_stream_source(where: str, source: Source) -> None:
    """Refuse a source whose events do not come live."""
    if not isinstance(source, EventSource):
        raise DefinitionError(
            where,
            f"is a stream view of {source.name}, which is a table source",
            "use @feature_view, or a source of events",
        )
    if source.stream is None:
        raise DefinitionError(
            where,
            f"is a stream view of {source.name}, whose events do not come live",
            "give the source stream=KafkaTopic('...'), or use @feature_view",
        )


def check_stream_drafts(where: str, drafts: Mapping[str, FeatureDraft]) -> None:
    """Refuse aggregates without a window, and those whose states stream tiles do not keep."""
    for name, draft in drafts.items():
        if not isinstance(draft, AggregateDraft):
            continue
        if draft.over is None:
            problem = (
                f"{draft.function} in a stream view has no window: every value is merged from tiles when it is read"
            )
            raise DefinitionError(f"{where}.{name}", problem, "give over=, or use @feature_view")
        if not KINDS[draft.kind].streams:
            raise DefinitionError(f"{where}.{name}", *_not_kept(draft.function))


def check_stream_windows(where: str, features: Iterable[Feature], cadence: int) -> None:
    """Refuse hops that do not divide the cadence or, from one second up, one another."""
    users: dict[int, str] = {}
    for feature in features:
        if feature.aggregation is None or feature.aggregation.window is None:
            continue
        hop = feature.aggregation.window.hop
        if cadence % hop:
            raise DefinitionError(
                f"{where}.{feature.name}",
                f"hop {format_duration(hop)} does not divide the cadence, {format_duration(cadence)}, as the hops of "
                "a stream view must",
                "give a shorter hop=, or the view a longer cadence",
            )
        users.setdefault(hop, feature.name)
    for shorter, longer in pairwise(sorted(users)):
        if longer % shorter:
            raise DefinitionError(
                f"{where}.{users[longer]}",
                f"hop {format_duration(longer)} is not a multiple of hop {format_duration(shorter)} of "
                f"{users[shorter]}: in a stream view the larger tiles are made of whole smaller ones",
                "give hop= so that each hop divides the next",
            )


def _not_kept(function: str) -> tuple[str, str]:
    if function == "n_unique":
        return "n_unique is exact, which stream views cannot afford", "use approx_n_unique(...), or @feature_view"
    return f"{function} is not available in stream views", "use @feature_view"
