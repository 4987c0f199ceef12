"""The options that views are declared with: their one list, for editors, checks and the compiler."""

# No annotations as texts here: ``Required`` has to be seen at run time.

from collections.abc import Sequence
from datetime import datetime
from typing import Required, TypedDict

from feature_store.model.entities import Entity
from feature_store.model.sources import EventSource, TableSource
from feature_store.model.views import AssetGranularity


class ViewOptions(TypedDict, total=False):
    """The options of every view.

    Attributes:
        entity: what its features describe; its keys are columns of the source.
        source: where its rows come from; of a stream view, events that come live (``stream=``).
        namespace: groups views, e.g. ``retail``.
        version: raised when a feature changes.
        owner: the team that owns it.
        cadence: span of a partition: ``1h``, ``1d`` or ``7d``; of a stream view, of its batch tiles, and every hop
            divides it. Partitions are aligned to the Unix epoch, which was a Thursday: weeks begin on Thursdays.
        freshness: SLA: the largest age of the newest available as-of, at least cadence + available_after; of a stream
            view, at least 1s + available_after. None: none is promised, and nothing alarms, e.g. of a finished data set
            (where the source says ``end=``, nothing is due after it anyway).
        readers: other teams that may read it, or ``everyone``.
        start: start of its first partition, with a zone; the source's start if not given.
        name: if not the class's name in snake case.
        assets: one Dagster asset per ``feature``, or one per ``view``.
        deprecated: a day and what to read instead, ``2027-01-31, use v2``: whoever reads the view is told.
    """

    entity: Required[Entity]
    source: Required[EventSource | TableSource]
    namespace: Required[str]
    version: Required[int]
    owner: Required[str]
    cadence: Required[str]
    freshness: Required[str | None]
    readers: Sequence[str]
    start: datetime | None
    name: str | None
    assets: AssetGranularity
    deprecated: str | None


class FeatureViewOptions(ViewOptions, total=False):
    """The further options of a view with a snapshot per partition.

    Attributes:
        available_after: how long after an as-of its values may be used; ``0s`` if not given.
        ttl: age of the as-of from which values are EXPIRED, at least cadence + available_after and the freshness.
        row_ttl: for table views: age of a row from which it is ignored.
    """

    available_after: str
    ttl: str | None
    row_ttl: str | None


class StreamViewOptions(ViewOptions, total=False):
    """The further options of a stream view.

    Attributes:
        batch_after: how long after a partition's end its batch tiles are used instead of the stream's.
        available_after: the stream's lag, whole seconds: how long after it happened an event counts.
    """

    batch_after: Required[str]
    available_after: Required[str]
