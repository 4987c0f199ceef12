"""The audit before values are published: types, keys and bounds that follow from the declaration.

Pandera is imported by the run that audits, since it brings pandas: a code location loads a second sooner without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from feature_store import Feature, FeatureView
from feature_store.engines.polars.dtypes import polars_dtype

if TYPE_CHECKING:
    import pandera.polars as pa

_NEVER_NEGATIVE: Final = ("count", "n_unique", "approx_n_unique", "std", "variance", "count_ratio")
_INSTANT: Final = pl.Datetime("us", "UTC")
SHOWN: Final = 20
"""Failures that are shown, at most."""


def _smallest_slots(data: Any) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(data.key).arr.min() >= 0)


def value_schema(view: FeatureView) -> pa.DataFrameSchema:
    """Return what the values of a view must look like: its columns, keys present and each once a partition."""
    import pandera.polars as pa  # noqa: PLC0415 - see above

    keys = {key: pa.Column(polars_dtype(dtype), nullable=False) for key, dtype in view.entity.keys.items()}
    features = {feature.name: _column(feature) for feature in view.stored_features}
    times = {name: pa.Column(_INSTANT, nullable=False) for name in ("partition_start", "as_of")}
    return pa.DataFrameSchema(
        {**times, **keys, **features}, unique=["partition_start", *view.keys], strict=True, name=view.full_name
    )


def audit(view: FeatureView, frame: pl.DataFrame) -> pl.DataFrame:
    """Return what is wrong with computed values: columns ``column, check, failures, example``; empty if nothing is."""
    from pandera.errors import SchemaErrors  # noqa: PLC0415 - see above

    try:
        value_schema(view).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases: pl.DataFrame = errors.failure_cases
        return (
            cases.group_by("column", "check", maintain_order=True)
            .agg(pl.len().alias("failures"), pl.col("failure_case").cast(pl.String).first().alias("example"))
            .head(SHOWN)
        )
    return pl.DataFrame(schema={"column": pl.String, "check": pl.String, "failures": pl.UInt32, "example": pl.String})


def _column(feature: Feature) -> pa.Column:
    import pandera.polars as pa  # noqa: PLC0415 - see above

    kind = None if feature.aggregation is None else feature.aggregation.kind
    negative_default = isinstance(feature.default, int | float) and feature.default < 0
    slots = pa.Check(_smallest_slots, error="greater_than_or_equal_to(0)")
    not_negative = slots if feature.dtype.is_array else pa.Check.ge(0)
    checks = [not_negative] if kind in _NEVER_NEGATIVE and not negative_default else []
    return pa.Column(polars_dtype(feature.dtype), checks, nullable=True)
