"""What a feature is and means: the vocabulary with which teams declare features.

Everything a declaration needs is importable from here; nothing here imports more than numpy.
"""

from feature_store.aggregates import count, first, last, max_, mean, min_, n_unique, std, sum_
from feature_store.dtypes import Boolean, DType, Float32, Float64, Int64, String, Timestamp, Vector
from feature_store.entities import Entity
from feature_store.errors import DefinitionError
from feature_store.expressions.functions import EmbeddingTable, bucketise, col, embed, lit, one_hot, ordinal, when
from feature_store.features import Feature, day_of_week, days_since, derive, field, hour_of_day, ratio
from feature_store.services import FeatureService
from feature_store.sources import EventSource, KafkaTopic, TableSource
from feature_store.status import Status
from feature_store.teams import EVERYONE, Team
from feature_store.view_declarations import feature_view, stream_view
from feature_store.views import FeatureView

__all__ = [
    "EVERYONE",
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
    "Status",
    "String",
    "TableSource",
    "Team",
    "Timestamp",
    "Vector",
    "bucketise",
    "col",
    "count",
    "day_of_week",
    "days_since",
    "derive",
    "embed",
    "feature_view",
    "field",
    "first",
    "hour_of_day",
    "last",
    "lit",
    "max_",
    "mean",
    "min_",
    "n_unique",
    "one_hot",
    "ordinal",
    "ratio",
    "std",
    "stream_view",
    "sum_",
    "when",
]
