"""The decorators that declare feature views: a class body becomes a ``FeatureView``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from feature_store.declare.compile_view import ViewOptions, compile_features, compile_options
from feature_store.errors import DefinitionError
from feature_store.model.entities import Entity
from feature_store.model.sources import EventSource, TableSource
from feature_store.model.views import AssetGranularity, FeatureView


def feature_view(
    *,
    entity: Entity,
    source: EventSource | TableSource,
    namespace: str,
    version: int,
    owner: str,
    cadence: str,
    freshness: str,
    available_after: str = "0s",
    readers: Sequence[str] = (),
    ttl: str | None = None,
    row_ttl: str | None = None,
    start: datetime | None = None,
    name: str | None = None,
    assets: AssetGranularity = "feature",
) -> Callable[[type], FeatureView]:
    """Declare a feature view; decorates a class whose attributes are its features and whose docstring describes it.

    Args:
        entity: what its features describe; its keys are columns of the source.
        source: where its rows come from.
        namespace: groups views, e.g. ``retail``.
        version: raised when a feature changes.
        owner: the team that owns it.
        cadence: span of a partition: ``1h``, ``1d`` or ``7d``. Partitions are aligned to the Unix epoch, which was a
            Thursday: weeks begin on Thursdays.
        freshness: SLA: the largest age of the newest available as-of, at least cadence + available_after.
        available_after: how long after an as-of its values may be used.
        readers: other teams that may read it, or ``everyone``.
        ttl: age of the as-of from which values are EXPIRED, at least cadence + available_after.
        row_ttl: for table views: age of a row from which it is ignored.
        start: no partition starts before it, with a zone, rounded up to the start of one; the source's start if not
            given.
        name: if not the class's name in snake case.
        assets: one Dagster asset per ``feature``, or one per ``view``.

    Raises:
        DefinitionError: anything is wrong with the declaration; names the view, the feature and what to write instead.
    """

    def declare(body: type) -> FeatureView:
        return _view(
            ViewOptions(
                body=body,
                name=name,
                namespace=namespace,
                version=version,
                entity=entity,
                source=source,
                owner=owner,
                readers=readers,
                cadence=cadence,
                available_after=available_after,
                freshness=freshness,
                ttl=ttl,
                row_ttl=row_ttl,
                start=start,
                assets=assets,
            )
        )

    return declare


def stream_view(
    *,
    entity: Entity,
    source: EventSource,
    namespace: str,
    version: int,
    owner: str,
    cadence: str,
    batch_after: str,
    available_after: str,
    freshness: str,
    readers: Sequence[str] = (),
    start: datetime | None = None,
    name: str | None = None,
    assets: AssetGranularity = "feature",
) -> Callable[[type], FeatureView]:
    """Declare a stream view: a value at every T, merged from tiles when it is read.

    At T its as-of is A = T floored to a whole second, less ``available_after``; a window counts what happened before A.
    Events before the end of the newest available partition come from batch tiles, later ones from the stream.

    Args:
        entity: what its features describe; its keys are columns of the source.
        source: whose events come live (``stream=``).
        namespace: groups views, e.g. ``retail``.
        version: raised when a feature changes.
        owner: the team that owns it.
        cadence: span of a partition of the batch tiles: ``1h``, ``1d`` or ``7d``; every hop divides it.
        batch_after: how long after a partition's end its batch tiles are used instead of the stream's.
        available_after: the stream's lag, whole seconds: how long after it happened an event counts.
        freshness: SLA: the largest age of the as-of, at least 1s + available_after.
        readers: other teams that may read it, or ``everyone``.
        start: no partition starts before it, with a zone, rounded up to the start of one; the source's start if not
            given.
        name: if not the class's name in snake case.
        assets: one Dagster asset per ``feature``, or one per ``view``.

    Raises:
        DefinitionError: anything is wrong with the declaration; names the view, the feature and what to write instead.
    """

    def declare(body: type) -> FeatureView:
        return _view(
            ViewOptions(
                body=body,
                name=name,
                namespace=namespace,
                version=version,
                entity=entity,
                source=source,
                owner=owner,
                readers=readers,
                cadence=cadence,
                available_after=available_after,
                freshness=freshness,
                start=start,
                assets=assets,
                batch_after=batch_after,
                is_stream=True,
            )
        )

    return declare


def _view(options: ViewOptions) -> FeatureView:
    _check_class(options.body)
    spans = compile_options(options)
    return FeatureView(
        namespace=options.namespace,
        name=options.view_name,
        version=options.version,
        description=options.description,
        entity=options.entity,
        source=options.source,
        owner=options.owner,
        readers=tuple(options.readers),
        cadence=spans.cadence,
        available_after=spans.available_after,
        freshness=spans.freshness,
        ttl=spans.ttl,
        row_ttl=spans.row_ttl,
        start=spans.start,
        assets=options.assets,
        features=compile_features(options, spans),
        batch_after=spans.batch_after,
    )


def _check_class(body: object) -> None:
    where = f"feature view {getattr(body, '__name__', repr(body))}"
    if not isinstance(body, type):
        raise DefinitionError(where, "is not a class", "decorate a class whose attributes are its features")
    if body.__bases__ != (object,):
        bases = ", ".join(base.__name__ for base in body.__bases__)
        raise DefinitionError(where, f"inherits from {bases}, whose features are not read", "declare them in the class")
