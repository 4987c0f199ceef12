"""The spine of the churn model: which household is asked about at which time, and what happened then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from feature_store.errors import InputError

LABEL: Final = "no_purchase_next_14d"
TIME: Final = "time"
LABEL_SPAN: Final = timedelta(days=14)
"""The label of a row at T looks at ``[T, T + 14 days)``."""

ACTIVE_SPAN: Final = timedelta(days=90)
"""Only households that bought within these days before T are asked about: the others have left already."""

SCORING_TIME: Final = timedelta(hours=6)
"""Time of the day, UTC, at which the model is asked: the day's snapshots are available by then."""


def spine_times(first_day: datetime, known_until: datetime, every: timedelta = timedelta(days=1)) -> list[datetime]:
    """Return the times of a spine: 06:00 UTC of days whose label window is closed.

    Args:
        first_day: a time with a zone; no time lies before it.
        known_until: up to when transactions are known: every label window ends by then.
        every: step between times, whole days.

    >>> spine_times(datetime(2017, 11, 1, tzinfo=UTC), datetime(2017, 11, 16, 12, tzinfo=UTC))[-1].isoformat()
    '2017-11-02T06:00:00+00:00'
    """
    midnight = first_day.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    time = midnight + SCORING_TIME
    if time < first_day:
        time += timedelta(days=1)
    times: list[datetime] = []
    while time + LABEL_SPAN <= known_until:
        times.append(time)
        time += every
    return times


def build_spine(
    transactions: pl.LazyFrame,
    times: Sequence[datetime],
    households: Sequence[int] | None = None,
    *,
    known_until: datetime,
) -> pl.DataFrame:
    """Return one row per time and household that bought in the 90 days before it, with the label.

    Args:
        transactions: ``household_id`` (Int64) and ``purchased_at`` (Datetime, us, UTC); more columns do no harm.
        times: the instants T, with a zone.
        households: those to ask about; None: all.
        known_until: up to when ``transactions`` is complete.

    Returns:
        ``household_id`` (Int64), ``time`` (Datetime, us, UTC), ``no_purchase_next_14d`` (Boolean: nothing was bought in
        ``[time, time + 14 days)``), sorted by time and household.

    Raises:
        InputError: a label window is not closed at ``known_until``: nobody knows its label yet.
    """
    late = [time for time in times if time + LABEL_SPAN > known_until]
    if late:
        raise InputError(
            f"the label at {late[0].isoformat()} looks at the 14 days after it, but purchases are known only until "
            f"{known_until.isoformat()}: use times up to {(known_until - LABEL_SPAN).isoformat()}"
        )
    asked = pl.LazyFrame({TIME: sorted(set(times))}, schema={TIME: pl.Datetime("us", "UTC")})
    bought = transactions.select("household_id", "purchased_at").unique()
    if households is not None:
        bought = bought.filter(pl.col("household_id").is_in(list(households)))
    since = pl.col("purchased_at") - pl.col(TIME)
    near = asked.join_where(
        bought,
        pl.col("purchased_at") >= pl.col(TIME) - ACTIVE_SPAN,
        pl.col("purchased_at") < pl.col(TIME) + LABEL_SPAN,
    )
    return (
        near.group_by("household_id", TIME)
        .agg(
            (since < timedelta(0)).any().alias("active"),
            (since >= timedelta(0)).any().not_().alias(LABEL),
        )
        .filter("active")
        .select("household_id", TIME, LABEL)
        .sort(TIME, "household_id")
        .collect()
    )
