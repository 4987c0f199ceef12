"""Two stored features beside one another, value by value: a new version of a view and the one it replaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl
import polars.selectors as cs

from feature_store.errors import InputError, NotComputedError
from feature_store.offline.tables.store import OfflineStore

TOLERANCE: Final = 1e-9
"""Floats are equal within this share of the larger one: the order in which they were added may differ."""

QUANTILES: Final = {"min": 0.0, "p5": 0.05, "p50": 0.5, "p95": 0.95, "max": 1.0}


@dataclass(frozen=True)
class StoredFeature:
    """A feature in the offline store: of a view, by its full name."""

    view: str
    name: str

    def __str__(self) -> str:
        return f"{self.view}.{self.name}"


@dataclass(frozen=True)
class ValueDiff:
    """How the values of two features differ.

    Attributes:
        partitions: as-ofs that were compared, ISO 8601, ascending.
        rows: entities and as-ofs that both have.
        only_one, only_other: those that one of them has alone.
        changed: rows with different values.
        quantiles_one, quantiles_other: of the values over the rows that both have; empty: they are no numbers.
        difference: quantiles of other - one over the rows where both are numbers; empty: they are none.
        examples: changed rows, the largest differences first: keys, ``as_of``, ``one``, ``other``.
    """

    partitions: tuple[str, ...]
    rows: int
    only_one: int
    only_other: int
    changed: int
    quantiles_one: dict[str, float]
    quantiles_other: dict[str, float]
    difference: dict[str, float]
    examples: tuple[dict[str, Any], ...]

    @property
    def share_changed(self) -> float:
        """Changed rows over all that both have; 0 where there are none."""
        return self.changed / self.rows if self.rows else 0.0


def compare_stored(
    store: OfflineStore,
    one: StoredFeature,
    other: StoredFeature,
    keys: Sequence[str],
    *,
    partitions: int = 7,
    examples: int = 5,
) -> ValueDiff:
    """Compare the newest partitions that both features have.

    Args:
        store: holds both.
        one: the former.
        other: the new one.
        keys: of the entity that both describe.
        partitions: how many at most.
        examples: how many at most.

    Raises:
        NotComputedError: there is no partition that both have.
    """
    as_ofs = _common(store, one.view, other.view)[-partitions:]
    if not as_ofs:
        raise NotComputedError(f"{one.view} and {other.view} have no partition in common: backfill the new one first")
    frames = [_values(store, each, keys, as_ofs) for each in (one, other)]
    return compare_values(frames[0], frames[1], keys, as_ofs, examples=examples)


def compare_values(
    one: pl.DataFrame, other: pl.DataFrame, keys: Sequence[str], as_ofs: Sequence[datetime], *, examples: int = 5
) -> ValueDiff:
    """Compare two frames of values.

    Args:
        one: the keys, ``as_of`` and ``value`` of the former.
        other: those of the new one.
        keys: of the entity.
        as_ofs: that are compared.
        examples: how many at most.
    """
    on = [*keys, "as_of"]
    sides = [frame.rename({"value": side}) for frame, side in ((one, "one"), (other, "other"))]
    both = sides[0].join(sides[1], on=on, how="inner", nulls_equal=True)
    changed = both.filter(_differs(both.schema["one"], both.schema["other"]))
    numeric = both.schema["one"].is_numeric() and both.schema["other"].is_numeric()
    gap = (pl.col("other") - pl.col("one")).cast(pl.Float64) if numeric else pl.lit(None, pl.Float64)
    gaps = both.select(gap.alias("gap"))["gap"]
    shown = changed.with_columns(gap.abs().alias("gap")).sort("gap", *on, descending=[True, *[False] * len(on)])
    values = (cs.datetime() - cs.by_name("as_of")).dt.strftime("%FT%T%.6fZ")
    rows = shown.drop("gap").head(examples).with_columns(values, pl.col("as_of").dt.strftime("%FT%TZ")).to_dicts()
    return ValueDiff(
        partitions=tuple(as_of.isoformat() for as_of in as_ofs),
        rows=both.height,
        only_one=sides[0].height - both.height,
        only_other=sides[1].height - both.height,
        changed=changed.height,
        quantiles_one=_quantiles(both["one"]),
        quantiles_other=_quantiles(both["other"]),
        difference=_quantiles(gaps),
        examples=tuple(rows),
    )


def _quantiles(values: pl.Series) -> dict[str, float]:
    """Return the quantiles of the numbers among some values; empty: there are none."""
    numbers = values.drop_nulls() if values.dtype.is_numeric() else values.clear()
    return {name: float(numbers.quantile(q) or 0.0) for name, q in QUANTILES.items()} if len(numbers) else {}


def _common(store: OfflineStore, one: str, other: str) -> list[Any]:
    listed = [set(store.stored_values(view).ledger.partitions()["as_of"].to_list()) for view in (one, other)]
    return sorted(listed[0] & listed[1])


def _values(store: OfflineStore, feature: StoredFeature, keys: Sequence[str], as_ofs: Sequence[Any]) -> pl.DataFrame:
    scanned = store.stored_values(feature.view).scan()
    if feature.name not in scanned.collect_schema().names():
        raise InputError(f"{feature} is not stored: backfill it first; on-read features are compared by what they read")
    wanted = scanned.filter(pl.col("as_of").is_in(list(as_ofs)))
    return wanted.select(*keys, "as_of", pl.col(feature.name).alias("value")).collect()


def _differs(before: pl.DataType, after: pl.DataType) -> pl.Expr:
    one, other = pl.col("one"), pl.col("other")
    if before != after and not (before.is_numeric() and after.is_numeric()):
        return one.is_not_null() | other.is_not_null()
    if not (before.is_float() or after.is_float()):
        return one.ne_missing(other)
    larger = pl.max_horizontal(one.abs(), other.abs())
    return one.is_null().ne_missing(other.is_null()) | ((one - other).abs() > TOLERANCE * larger).fill_null(value=False)
