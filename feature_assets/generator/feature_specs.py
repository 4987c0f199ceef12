"""A view in Dagster: the asset of its table and one asset per feature."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import dagster as dg

from feature_assets.generator.conditions import follow
from feature_assets.generator.keys import feature_key, source_key, table_key, table_name, tiles_key
from feature_assets.generator.labels import STORED, view_labels
from feature_assets.generator.lineage import column_lineage, column_schema, source_columns
from feature_assets.generator.partitions import lookback, tile_partitions, value_partitions
from feature_assets.parity.report import markdown
from feature_store import Feature, FeatureView
from feature_store.fingerprints import fingerprint
from feature_store.quality.freshness import sla_of, sla_set_by
from feature_store.temporal.durations import format_duration

_AT_ENDS: Final = (
    "Values at partition ends, for inspection; requests and training sets merge the tiles at their own time."
)

_WITH_TABLE: Final = (
    "Computed with all features of its view: checks, automation and readers stand on the page of `_table`."
)


def tiles_spec(view: FeatureView, end: datetime | None) -> dg.AssetSpec:
    """Return the asset of a view's tiles."""
    return dg.AssetSpec(
        tiles_key(view),
        # Tiles and source have the same time windows: each partition reads the same one upstream.
        deps=[dg.AssetDep(source_key(view), partition_mapping=dg.TimeWindowPartitionMapping())],
        description=f"Partial aggregates of {view.name}, mergeable: one row per {view.entity.name} and "
        f"{_tile_spans(view)} of event time. Windows are merged from these.",
        partitions_def=tile_partitions(view, end),
        automation_condition=follow(view),
        code_version=view.tiles_fingerprint,
        kinds=STORED,
        metadata={"tile": _tile_spans(view), "source": view.source.name},
        **view_labels(view),
    )


def table_spec(view: FeatureView, end: datetime | None) -> dg.AssetSpec:
    """Return the asset of a view's table, the one that automation and the online store follow."""
    upstream = source_key(view) if view.is_table else tiles_key(view)
    stored = view.stored_features
    return dg.AssetSpec(
        table_key(view),
        deps=[dg.AssetDep(upstream, partition_mapping=lookback(view))],
        description=f"{view.description}\n\n{_AT_ENDS}" if view.is_stream else view.description,
        partitions_def=value_partitions(view, end),
        automation_condition=follow(view),
        freshness_policy=freshness_policy(view),
        code_version=fingerprint(sorted(view.fingerprints.items())),
        kinds=STORED,
        metadata={
            "entity": f"{view.entity.name} ({', '.join(f'{k}: {d}' for k, d in view.entity.keys.items())})",
            **_times(view),
            "freshness": format_duration(view.partition_freshness),
            "freshness_set_by": sla_set_by(view),
            "readers": ", ".join(view.readers) or "none",
            "features": dg.MetadataValue.md(_feature_list(view)),
            "dagster/column_schema": column_schema(view, stored),
            "dagster/column_lineage": column_lineage(view, stored),
            "dagster/table_name": table_name(view),
            "dagster/storage_kind": "delta",
        },
        skippable=True,
        **view_labels(view),
    ).with_io_manager_key("delta_io")


def feature_spec(view: FeatureView, feature: Feature, end: datetime | None) -> dg.AssetSpec:
    """Return the asset of a stored feature: a column of the table."""
    return dg.AssetSpec(
        feature_key(view, feature.name),
        deps=[table_key(view)],
        description=f"{feature.description}\n\n{_WITH_TABLE}",
        partitions_def=value_partitions(view, end),
        freshness_policy=freshness_policy(view, feature),
        code_version=feature.fingerprint,
        kinds=STORED,
        metadata={**_feature_metadata(view, feature), **_times(view), "dagster/table_name": table_name(view)},
        skippable=True,
        **view_labels(view),
    )


def on_read_spec(view: FeatureView, feature: Feature) -> dg.AssetSpec:
    """Return the asset of an on-read feature: external, since nothing ever stores its values."""
    return dg.AssetSpec(
        feature_key(view, feature.name),
        deps=[feature_key(view, read) for read in feature.reads] or [table_key(view)],
        description=f"{feature.description}\n\nComputed when read, from stored values and the time of the request.",
        code_version=feature.fingerprint,
        kinds={"on-read"},
        metadata=_feature_metadata(view, feature),
        **view_labels(view),
    )


def freshness_policy(view: FeatureView, feature: Feature | None = None) -> dg.FreshnessPolicy | None:
    """Return the policy that Dagster shows; None where the source ends, since a policy knows of no end."""
    if view.source.end is not None:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=sla_of(view, feature))


def _tile_spans(view: FeatureView) -> str:
    return ", ".join(map(format_duration, view.levels))


def _times(view: FeatureView) -> dict[str, str]:
    """Return when values are computed and may be used, and how long."""
    return {
        "cadence": format_duration(view.cadence),
        "available_after": format_duration(view.available_after),
        **({} if view.batch_after is None else {"batch_after": format_duration(view.batch_after)}),
        "ttl": "never" if view.ttl is None else format_duration(view.ttl),
    }


def _feature_metadata(view: FeatureView, feature: Feature) -> Mapping[str, Any]:
    return {
        "computation": feature.logic,
        "kind": feature.kind,
        "dtype": feature.dtype.name,
        "default": "none" if feature.default is None else str(feature.default),
        "entity": view.entity.name,
        "source": f"{view.source.name} ({view.source.asset})",
        "source_columns": ", ".join(source_columns(view, feature)) or "none",
        "freshness": format_duration(feature.freshness),
        "fingerprint": feature.fingerprint,
        "dagster/column_schema": column_schema(view, [feature]),
        "dagster/column_lineage": column_lineage(view, [feature]),
    }


def _feature_list(view: FeatureView) -> str:
    rows = [[f.name, f.dtype, f"`{f.logic}`", f.description] for f in view.features]
    return markdown(["feature", "type", "computation", "description"], rows)
