"""What a join finds out about a spine beside its values: features that some rows lack, and values that are old.

Findings are facts that add up, so those of the parts of a spine are those of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from feature_store.columns import Mask
from feature_store.errors import NotComputedError
from feature_store.offline.join.spines import Spine, unfit_column
from feature_store.offline.join.view_join import ViewJoin
from feature_store.plans.service_plan import PlanView, ServicePlan
from feature_store.status import Status
from feature_store.temporal.durations import SECOND, format_duration
from feature_store.temporal.instants import from_microseconds


@dataclass(frozen=True)
class SomeRows:
    """Rows of a spine.

    Attributes:
        count: their number.
        first: the smallest T of them, microseconds.
        last: the largest.
    """

    count: int
    first: int
    last: int

    def __add__(self, other: SomeRows) -> SomeRows:
        """Return both together."""
        return SomeRows(self.count + other.count, min(self.first, other.first), max(self.last, other.last))


Missing = Mapping[tuple[int, str], SomeRows]
"""Rows that lack something, by the place of a view in its plan and the name of a feature; only where there are any."""


def uncomputed(plan: ServicePlan, joins: Sequence[ViewJoin], spine: Spine) -> Missing:
    """Return the rows for which no partition holds a feature."""
    found: dict[tuple[int, str], SomeRows] = {}
    for place, (view, join) in enumerate(zip(plan.views, joins, strict=True)):
        nothing = join.status == Status.NOT_COMPUTED
        for feature in view.features:
            _note(found, (place, feature.name), nothing | join.lacking[feature.name], spine)
    return found


def unfit(plan: ServicePlan, reads: Sequence[pl.DataFrame], spine: Spine) -> Missing:
    """Return the rows for which a sum of integers does not fit Int64."""
    found: dict[tuple[int, str], SomeRows] = {}
    for place, (view, read) in enumerate(zip(plan.views, reads, strict=True)):
        for feature in view.features:
            _note(found, (place, feature.name), is_unfit(read, feature.name), spine)
    return found


def is_unfit(read: pl.DataFrame, feature: str) -> Mask:
    """Return, of what was read of a view, where the sum of a feature does not fit Int64."""
    column = unfit_column(feature)
    return read[column].fill_null(value=False).to_numpy() if column in read else np.zeros(len(read), np.bool_)


def missing_together(parts: Iterable[Missing]) -> Missing:
    """Return what parts of a spine lack, together."""
    found: dict[tuple[int, str], SomeRows] = {}
    for part in parts:
        for at, rows in part.items():
            found[at] = found[at] + rows if at in found else rows
    return found


def require_computed(plan: ServicePlan, missing: Missing) -> None:
    """Fail where no partition holds a feature for some rows.

    Raises:
        NotComputedError: says which, for how many, and when.
    """
    if missing:
        raise NotComputedError(
            "no partition holds these features for some rows of the spine: "
            f"{_told(plan, missing)}. Backfill the views, drop these rows, or pass allow_missing=True to get null"
        )


def require_fit(plan: ServicePlan, missing: Missing) -> None:
    """Fail where sums of integers do not fit Int64.

    Raises:
        NotComputedError: says which, for how many rows, and when.
    """
    if missing:
        raise NotComputedError(
            f"sums of integers do not fit Int64: {_told(plan, missing)}. Sum a float instead, "
            "sum_(col(...).cast(Float64), ...), drop these rows, or pass allow_missing=True to get null"
        )


def _note(found: dict[tuple[int, str], SomeRows], at: tuple[int, str], rows: Mask, spine: Spine) -> None:
    if rows.any():
        times = spine.time[rows]
        found[at] = SomeRows(int(np.count_nonzero(rows)), int(times.min()), int(times.max()))


def _told(plan: ServicePlan, missing: Missing) -> str:
    return "; ".join(text for place, view in enumerate(plan.views) for text in _told_of(place, view, missing))


def _told_of(place: int, view: PlanView, missing: Missing) -> Iterator[str]:
    """Yield which features of a view are missing in how many rows, and when."""
    names: dict[str, list[str]] = {}
    for feature in view.features:
        if (place, feature.name) in missing:
            rows = missing[place, feature.name]
            first, last = from_microseconds(rows.first), from_microseconds(rows.last)
            names.setdefault(f"{rows.count} rows from {first} to {last}", []).append(feature.name)
    for rows_text, features in names.items():
        which = "" if len(features) == len(view.features) else f".{', .'.join(features)}"
        yield f"{view.view}{which}: {rows_text}"


@dataclass(frozen=True)
class Ages:
    """How old the values of one view were that rows of a spine read.

    Attributes:
        stale: rows that read values older than the view's freshness promises.
        rows: all rows.
        oldest: the largest age of a value that was read, microseconds.
    """

    stale: int = 0
    rows: int = 0
    oldest: int = 0

    def __add__(self, other: Ages) -> Ages:
        """Return those of both."""
        return Ages(self.stale + other.stale, self.rows + other.rows, max(self.oldest, other.oldest))


def ages_of(plan: ServicePlan, joins: Sequence[ViewJoin], spine: Spine) -> list[Ages]:
    """Return how old the values of each view were; of one that promises no freshness, nothing."""
    return [_ages(view, join, spine) for view, join in zip(plan.views, joins, strict=True)]


def stale_views(plan: ServicePlan, ages: Sequence[Ages]) -> tuple[str, ...]:
    """Return a line per view of which rows read values that were older than its freshness promises."""
    return tuple(
        f"{view.view}: {found.stale} of {found.rows} rows read values as of up to "
        f"{timedelta(seconds=found.oldest // SECOND)} before them; its freshness is {format_duration(view.freshness)}"
        for view, found in zip(plan.views, ages, strict=True)
        if found.stale and view.freshness is not None
    )


def _ages(view: PlanView, join: ViewJoin, spine: Spine) -> Ages:
    if view.freshness is None or not len(spine.time):
        return Ages()
    age = np.where(join.is_read, spine.time - join.as_of.to_physical().fill_null(0).to_numpy(), 0)
    return Ages(int(np.count_nonzero(age > view.freshness)), len(age), int(age.max()))
