"""What Dagster shows of a view: the asset of its table and one asset per feature."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Final

import dagster as dg

from feature_assets.generator.conditions import follow
from feature_assets.generator.keys import feature_key, source_key, table_key, table_name, tiles_key
from feature_assets.generator.labels import STORED, view_labels
from feature_assets.generator.lineage import ViewColumns
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

_text = lru_cache(4096)(dg.MetadataValue.text)
"""A text as metadata. Dagster makes one of each text, several times per asset: one for all is a third of the memory."""


class ViewSpecs:
    """The specs of a view's assets; what they share is made once: ten thousand features load in seconds.

    Args:
        view: the view.
        end: where its partitions end, if before its source's; None: there, or nowhere.
    """

    def __init__(self, view: FeatureView, end: datetime | None = None) -> None:
        self._view = view
        self._end = end
        self._columns = ViewColumns(view)
        self._labels = view_labels(view)

    def tiles(self) -> dg.AssetSpec:
        """Return the asset of the tiles."""
        view = self._view
        return dg.AssetSpec(
            tiles_key(view),
            # Tiles and source have the same time windows: each partition reads the same one upstream.
            deps=[dg.AssetDep(source_key(view), partition_mapping=dg.TimeWindowPartitionMapping())],
            description=f"Partial aggregates of {view.name}, mergeable: one row per {view.entity.name} and "
            f"{_tile_spans(view)} of event time. Windows are merged from these.",
            partitions_def=tile_partitions(view, self._end),
            automation_condition=follow(view),
            code_version=view.tiles_fingerprint,
            kinds=STORED,
            metadata={"tile": _tile_spans(view), "source": view.source.name},
            **self._labels,
        )

    def table(self) -> dg.AssetSpec:
        """Return the asset of the table, the one that automation and the online store follow."""
        view, stored = self._view, self._view.stored_features
        upstream = source_key(view) if view.is_table else tiles_key(view)
        return dg.AssetSpec(
            table_key(view),
            deps=[dg.AssetDep(upstream, partition_mapping=lookback(view))],
            description=f"{view.description}\n\n{_AT_ENDS}" if view.is_stream else view.description,
            partitions_def=self._partitions,
            automation_condition=follow(view),
            freshness_policy=freshness_policy(view),
            code_version=fingerprint(sorted(view.fingerprints.items())),
            kinds=STORED,
            metadata={
                "entity": f"{view.entity.name} ({', '.join(f'{k}: {d}' for k, d in view.entity.keys.items())})",
                **self._times,
                "freshness": _promise(view.partition_freshness),
                "freshness_set_by": sla_set_by(view),
                "readers": ", ".join(view.readers) or "none",
                **({} if view.deprecated is None else {"deprecated": view.deprecated}),
                "features": dg.MetadataValue.md(_feature_list(view)),
                "dagster/column_schema": self._columns.schema(stored),
                "dagster/column_lineage": self._columns.lineage(stored),
                "dagster/table_name": table_name(view),
                "dagster/storage_kind": "delta",
            },
            skippable=True,
            **self._labels,
        ).with_io_manager_key("delta_io")

    def feature(self, feature: Feature) -> dg.AssetSpec:
        """Return the asset of a stored feature: a column of the table."""
        view = self._view
        return dg.AssetSpec(
            feature_key(view, feature.name),
            deps=self._on_table,
            description=f"{feature.description}\n\n{_WITH_TABLE}",
            partitions_def=self._partitions,
            freshness_policy=freshness_policy(view, feature),
            code_version=feature.fingerprint,
            kinds=STORED,
            metadata={**self._metadata(feature), **self._times, "dagster/table_name": _text(table_name(view))},
            skippable=True,
            **self._labels,
        )

    def on_read(self, feature: Feature) -> dg.AssetSpec:
        """Return the asset of an on-read feature: external, since nothing ever stores its values."""
        view = self._view
        return dg.AssetSpec(
            feature_key(view, feature.name),
            deps=[feature_key(view, read) for read in feature.reads] or [table_key(view)],
            description=f"{feature.description}\n\nComputed when read, from stored values and the time of the request.",
            code_version=feature.fingerprint,
            kinds={"on-read"},
            metadata=self._metadata(feature),
            **self._labels,
        )

    @cached_property
    def _partitions(self) -> dg.TimeWindowPartitionsDefinition:
        return value_partitions(self._view, self._end)

    @cached_property
    def _on_table(self) -> list[dg.AssetDep]:
        return [dg.AssetDep(table_key(self._view))]

    @cached_property
    def _times(self) -> Mapping[str, dg.TextMetadataValue]:
        """When values are computed and may be used, and how long."""
        view = self._view
        times = {
            "cadence": format_duration(view.cadence),
            "available_after": format_duration(view.available_after),
            **({} if view.batch_after is None else {"batch_after": format_duration(view.batch_after)}),
            "ttl": "never" if view.ttl is None else format_duration(view.ttl),
        }
        return {name: _text(time) for name, time in times.items()}

    def _metadata(self, feature: Feature) -> Mapping[str, Any]:
        view = self._view
        texts = {
            "computation": feature.logic,
            "kind": feature.kind,
            "dtype": feature.dtype.name,
            "default": "none" if feature.default is None else str(feature.default),
            "entity": view.entity.name,
            "source": f"{view.source.name} ({view.source.asset})",
            "source_columns": ", ".join(self._columns.sources[feature.name]) or "none",
            "freshness": _promise(feature.freshness),
            "fingerprint": feature.fingerprint,
            **({} if feature.deprecated is None else {"deprecated": feature.deprecated}),
        }
        return {
            **{name: _text(text) for name, text in texts.items()},
            "dagster/column_schema": self._columns.schema([feature]),
            "dagster/column_lineage": self._columns.lineage([feature]),
        }


def freshness_policy(view: FeatureView, feature: Feature | None = None) -> dg.FreshnessPolicy | None:
    """Return the policy that Dagster shows; None where none is promised, or the source ends: a policy knows no end."""
    sla = sla_of(view, feature)
    if sla is None or view.source.end is not None:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=sla)


def _promise(freshness: int | None) -> str:
    return "none promised" if freshness is None else format_duration(freshness)


def _policy(sla: timedelta) -> dg.FreshnessPolicy:
    return dg.FreshnessPolicy.time_window(fail_window=sla)


def _tile_spans(view: FeatureView) -> str:
    return ", ".join(map(format_duration, view.levels))


def _feature_list(view: FeatureView) -> str:
    rows = [[f.name, f.dtype, f"`{f.logic}`", f.description] for f in view.features]
    return markdown(["feature", "type", "computation", "description"], rows)
