"""Features and their meaning: the vocabulary with which teams declare features.

Everything a declaration needs is importable from here; nothing here imports more than numpy.
"""

from feature_store.declare.aggregates import (
    approx_median,
    approx_n_unique,
    approx_percentile,
    count,
    count_ratio,
    decayed_sum,
    first,
    first_k,
    histogram,
    last,
    last_k,
    max_,
    mean,
    min_,
    n_unique,
    skew,
    std,
    sum_,
    top_k,
    variance,
)
from feature_store.declare.features import day_of_week, days_since, derive, field, hour_of_day, ratio
from feature_store.declare.request_features import request, request_feature
from feature_store.declare.views import feature_view, stream_view
from feature_store.dtypes import Array, Boolean, DType, Float32, Float64, Int64, String, Timestamp, Vector
from feature_store.errors import DefinitionError
from feature_store.expressions.functions import (
    EmbeddingTable,
    LookupTable,
    bucketise,
    col,
    cosine,
    dot,
    embed,
    lit,
    lookup,
    one_hot,
    ordinal,
    when,
)
from feature_store.model.entities import Entity
from feature_store.model.features import Feature
from feature_store.model.request_features import RequestInput
from feature_store.model.services import FeatureService
from feature_store.model.sources import EventSource, KafkaTopic, TableSource
from feature_store.model.teams import EVERYONE, Team
from feature_store.model.views import FeatureView
from feature_store.status import Status

__all__ = [
    "EVERYONE",
    "Array",
    "Boolean",
    "DType",
    "DefinitionError",
    "EmbeddingTable",
    "Entity",
    "EventSource",
    "Feature",
    "FeatureService",
    "FeatureView",
    "Float32",
    "Float64",
    "Int64",
    "KafkaTopic",
    "LookupTable",
    "RequestInput",
    "Status",
    "String",
    "TableSource",
    "Team",
    "Timestamp",
    "Vector",
    "approx_median",
    "approx_n_unique",
    "approx_percentile",
    "bucketise",
    "col",
    "cosine",
    "count",
    "count_ratio",
    "day_of_week",
    "days_since",
    "decayed_sum",
    "derive",
    "dot",
    "embed",
    "feature_view",
    "field",
    "first",
    "first_k",
    "histogram",
    "hour_of_day",
    "last",
    "last_k",
    "lit",
    "lookup",
    "max_",
    "mean",
    "min_",
    "n_unique",
    "one_hot",
    "ordinal",
    "ratio",
    "request",
    "request_feature",
    "skew",
    "std",
    "stream_view",
    "sum_",
    "top_k",
    "variance",
    "when",
]
