"""Checks the window of an aggregate against its view's cadence and its source's history."""

from __future__ import annotations

from datetime import datetime

from feature_store.errors import DefinitionError
from feature_store.model.service_levels import check_span
from feature_store.model.sources import EventSource
from feature_store.temporal.durations import DAY, HOUR, MINUTE, SECOND, format_duration
from feature_store.temporal.instants import from_microseconds, to_microseconds
from feature_store.temporal.windows import Window, default_hop


def compile_window(
    where: str, over: str | None, hop: str | None, *, cadence: int, start: datetime, source: EventSource
) -> Window | None:
    """Return the window of an aggregate; None: all history.

    Args:
        where: the feature, for messages.
        over: the window as written.
        hop: the step of its tail as written; None: the default for its length.
        cadence: of the view, microseconds.
        start: start of the view's first partition.
        source: what is aggregated.
    """
    if over is None:
        _check_all_history(where, hop, cadence, source)
        return None
    window = _window(where, over, hop)
    if window.hop % cadence and cadence % window.hop:
        raise DefinitionError(
            where,
            f"hop {format_duration(window.hop)} and cadence {format_duration(cadence)} do not divide one another",
            "give a hop= that divides the cadence, or is a multiple of it",
        )
    if source.truncated:
        _check_reach(where, window, cadence, start, source)
    return window


def _window(where: str, over: str, hop: str | None) -> Window:
    span = check_span(where, "over", over)
    step = default_hop(span) if hop is None else check_span(where, "hop", hop)
    if span % step:
        origin = "the default hop for its length" if hop is None else "its hop"
        fix = f"give hop='{_natural_hop(span)}'" if hop is None else f"use '{format_duration(_round_up(span, step))}'"
        raise DefinitionError(where, f"over={over!r} is not a multiple of {origin}, {format_duration(step)}", fix)
    return Window(span, step)


def _natural_hop(span: int) -> str:
    step = next(step for step in (DAY, HOUR, 5 * MINUTE, MINUTE, SECOND) if span % step == 0)
    return format_duration(step)


def _check_all_history(where: str, hop: str | None, cadence: int, source: EventSource) -> None:
    if hop is not None:
        raise DefinitionError(where, f"hop={hop!r} without a window", "give over=, or leave out hop=")
    if cadence < DAY:
        raise DefinitionError(where, "covers all history at an hourly cadence", "give over=, or use a daily view")
    if source.truncated:
        raise DefinitionError(where, f"covers all history, which source {source.name} does not keep", "give over=")


def _check_reach(where: str, window: Window, cadence: int, start: datetime, source: EventSource) -> None:
    kept_from = to_microseconds(source.start)
    if window.tail(to_microseconds(start) + cadence) >= kept_from:
        return
    first_as_of = _round_up(kept_from, window.hop) + window.over
    earliest = from_microseconds(_round_up(first_as_of - cadence, max(cadence, DAY)))
    raise DefinitionError(
        where,
        f"over='{format_duration(window.over)}' reaches before {source.start:%Y-%m-%d}, "
        f"from which on source {source.name} keeps rows",
        f"start the view at {earliest:%Y-%m-%d} or later, or use a shorter window",
    )


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step
