"""Source columns that determine a feature."""

from __future__ import annotations

from feature_store.expressions.nodes import column_names
from feature_store.model.features import Feature
from feature_store.model.sources import EventSource
from feature_store.model.views import FeatureView


def source_columns(view: FeatureView, feature: Feature) -> list[str]:
    """Return the source columns that a feature is computed from, through the features it reads.

    A count of rows reads no value: it depends on when rows happened and were known.
    """
    if feature.reads:
        return list(dict.fromkeys(c for read in feature.reads for c in source_columns(view, view.feature(read))))
    aggregation = feature.aggregation
    expressions = (feature.expression,) if aggregation is None else aggregation.expressions()
    columns = dict.fromkeys(name for e in expressions if e is not None for name in column_names(e))
    if columns or feature.on_read is not None:
        return list(columns)
    source = view.source
    times = (source.event_time, source.known_at) if isinstance(source, EventSource) else (source.time,)
    return [name for name in times if name is not None]
