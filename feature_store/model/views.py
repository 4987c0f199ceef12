"""Feature views: sets of features of one entity from one source, computed together, owned by one team."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from feature_store.checks.calls import declares, written_place
from feature_store.checks.declared import check_type, one_of, shown
from feature_store.errors import DefinitionError, MissingAttributeError
from feature_store.expressions.nodes import Expression
from feature_store.fingerprints import fingerprint
from feature_store.model.aggregations import Aggregation
from feature_store.model.entities import Entity
from feature_store.model.features import Feature
from feature_store.model.sources import Source, TableSource, key_column
from feature_store.temporal.tile_levels import levels_of
from feature_store.temporal.tile_span import tile_span
from feature_store.temporal.windows import Window

AssetGranularity = Literal["feature", "view"]

OTHER_VIEW: Final = "declare both in one view, or combine them in a service: request_feature(name, expression)"
"""The advice to who reads a feature of another view in a view."""


@dataclass(frozen=True, eq=False)
class FeatureView:
    """A declared feature view. Spans are microseconds.

    Attributes:
        namespace, name, version: its identity; see ``full_name``.
        description: from the class's docstring.
        entity: what its features describe.
        source: where its rows come from.
        owner: the team that owns it.
        readers: other teams that may read it.
        cadence: span of a partition: an hour, a day or seven days; of a stream view, of its batch tiles.
        available_after: how long after an as-of its values may be used; of a stream view the lag, whole seconds.
        freshness: SLA: the largest age of the newest available as-of; None: none is promised.
        ttl: age of the as-of from which values are EXPIRED; None: never.
        row_ttl: for table views: age of a row from which it is ignored; None: never.
        start: start of its first partition, UTC.
        assets: one Dagster asset per ``feature``, or one per ``view``.
        features: in declared order.
        batch_after: of a stream view, how long after a partition's end its tiles own the time before; None: no stream.
        deprecated: until when it can be relied on and what to read instead; its features say so too. None: it is not.
    """

    namespace: str
    name: str
    version: int
    description: str
    entity: Entity
    source: Source
    owner: str
    readers: tuple[str, ...]
    cadence: int
    available_after: int
    freshness: int | None
    ttl: int | None
    row_ttl: int | None
    start: datetime
    assets: AssetGranularity
    features: tuple[Feature, ...]
    batch_after: int | None = None
    deprecated: str | None = None

    @property
    def full_name(self) -> str:
        """``namespace/name/vN``: its name in every store."""
        return f"{self.namespace}/{self.name}/v{self.version}"

    @property
    def is_table(self) -> bool:
        """Whether it takes the latest row of a table instead of aggregating events."""
        return isinstance(self.source, TableSource)

    @property
    def is_stream(self) -> bool:
        """Whether it has a value at every T, merged when read, instead of one per partition."""
        return self.batch_after is not None

    @property
    def partition_delay(self) -> int:
        """The time from a partition's end until what is computed of it may be used, microseconds."""
        return self.available_after if self.batch_after is None else self.batch_after

    @property
    def partition_freshness(self) -> int | None:
        """The largest age of the end of the newest available partition: the strictest SLA of what is computed of it.

        None: no feature promises any.
        """
        promised = [feature.freshness for feature in self.stored_features if feature.freshness is not None]
        if promised and self.batch_after is not None:
            return self.cadence + self.batch_after
        return min(promised, default=None)

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the entity's keys."""
        return tuple(self.entity.keys)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The columns of its source that hold the keys, in their order."""
        return tuple(key_column(self.source, key) for key in self.keys)

    @property
    def identity(self) -> list[object]:
        """The facts that determine which rows of the source belong to which entity, as JSON."""
        named = {key: column for key, column in self.source.keys.items() if key in self.entity.keys}
        return [self.source.canonical(), self.entity.canonical(), *([named] if named else [])]

    @cached_property
    def stored_features(self) -> tuple[Feature, ...]:
        """Features whose values are written to the stores, in declared order."""
        return tuple(feature for feature in self.features if feature.is_stored)

    @cached_property
    def aggregations(self) -> tuple[Aggregation, ...]:
        """Its aggregations, in declared order."""
        return tuple(feature.aggregation for feature in self.features if feature.aggregation is not None)

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """Its distinct windows."""
        return tuple(dict.fromkeys(a.window for a in self.aggregations if a.window is not None))

    @property
    def has_all_history(self) -> bool:
        """Whether an aggregation covers all history."""
        return any(aggregation.window is None for aggregation in self.aggregations)

    @property
    def levels(self) -> tuple[int, ...]:
        """Spans of its tiles, ascending; only stream views have several."""
        return levels_of(self.windows) if self.is_stream else (tile_span(self.cadence, self.windows),)

    @property
    def tile(self) -> int:
        """Span of its tiles, of the shortest where there are several."""
        return self.levels[0]

    @property
    def fingerprints(self) -> dict[str, str]:
        """Fingerprint by name of each stored feature."""
        return {feature.name: feature.fingerprint for feature in self.stored_features}

    @property
    def tiles_fingerprint(self) -> str:
        """Hash of what determines the contents of its tiles."""
        states = sorted({column for aggregation in self.aggregations for column in aggregation.tile_columns()})
        span = ["stream", self.cadence, *self.levels] if self.is_stream else self.tile
        return fingerprint(["tiles", *self.identity, span, states])

    def feature(self, name: str) -> Feature:
        """Return one feature; ``KeyError`` if the view has none of that name."""
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(f"{self.full_name} has no feature {name!r}: {self._one_of(name)}")

    def __getitem__(self, names: str | Sequence[str]) -> ViewSelection:
        """Select features for a feature service: ``view["a"]`` or ``view["a", "b"]``.

        Raises:
            DefinitionError: a name is unknown or comes twice.
        """
        check_type(self.full_name, "view[...]", names, (str, Sequence), "select by name: view['a', 'b']")
        chosen = (names,) if isinstance(names, str) else tuple(names)
        known = {feature.name for feature in self.features}
        for name in chosen:
            if name not in known:
                raise DefinitionError(self.full_name, f"has no feature {name!r}", self._one_of(name))
            if chosen.count(name) > 1:
                raise DefinitionError(self.full_name, f"feature {name!r} is selected twice", "select it once")
        return ViewSelection(self, chosen)

    if not TYPE_CHECKING:  # tools know by themselves what is not there

        def __getattr__(self, name: str) -> FeatureRef:
            if name.startswith("_") or "features" not in vars(self):
                raise AttributeError(name)
            if not any(feature.name == name for feature in self.features):
                raise MissingAttributeError(self.full_name, f"has no attribute {name!r}", self._one_of(name))
            place = written_place()
            if place is not None:
                problem = f"reads {self.full_name}.{name}, a feature of another view"
                raise MissingAttributeError(place, problem, OTHER_VIEW)
            return FeatureRef(self, name)

    def _one_of(self, name: object) -> str:
        return one_of(name, (feature.name for feature in self.features))

    def all(self) -> ViewSelection:
        """Select every feature for a feature service."""
        return ViewSelection(self, tuple(feature.name for feature in self.features))

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features)

    def __repr__(self) -> str:
        return f"<feature view {self.full_name}: {len(self.features)} features of {self.entity.name}>"


@dataclass(frozen=True, eq=False)
class ViewSelection:
    """Some features of a view, as a feature service reads them.

    Attributes:
        view: the view.
        names: its chosen features.
        role: what the entity is in this service (``origin``), if it is read more than once.
        columns: request column by key, where it is not called like the key.
        aliases: output name by feature, instead of ``view__feature``.
    """

    view: FeatureView
    names: tuple[str, ...]
    role: str | None = None
    columns: Mapping[str, str] | None = None
    aliases: Mapping[str, str] | None = None

    def alias(self, *names: object, **aliases: str) -> ViewSelection:
        """Name outputs: ``view["spend_7d"].alias(spend_7d="spend")``."""
        if names:
            problem = f".alias({shown(names[0])}) does not say of which feature"
            raise DefinitionError(self.prefix, problem, f"write .alias({self.names[0]}={shown(names[0])})")
        return replace(self, aliases={**(self.aliases or {}), **aliases})

    @declares
    def as_role(self, role: str, **columns: str) -> ViewSelection:
        """Read the view for another entity of the request: ``airport.all().as_role("to", airport_id="to_id")``."""
        return replace(self, role=role, columns=columns)

    @property
    def prefix(self) -> str:
        """The beginning of output names."""
        return self.view.name if self.role is None else f"{self.role}__{self.view.name}"

    def output_name(self, feature: str) -> str:
        """Return the column of a feature in responses and training sets."""
        return (self.aliases or {}).get(feature, f"{self.prefix}__{feature}")

    def key_column(self, key: str) -> str:
        """Return the request (and spine) column of a key."""
        return (self.columns or {}).get(key, key)


@dataclass(frozen=True, eq=False, repr=False)
class FeatureRef(Expression):
    """A feature of a view in an expression of a service: ``View.feature``.

    A feature that is called like an attribute of views is written ``lit(View["name"])``.

    Attributes:
        view: the view.
        name: of the feature.
        role, columns: as ``ViewSelection`` has them.
    """

    view: FeatureView
    name: str
    role: str | None = None
    columns: Mapping[str, str] | None = None

    @declares
    def as_role(self, role: str, **columns: str) -> FeatureRef:
        """Read the feature of another entity of the request; columns can be left out where the service maps them."""
        return replace(self, role=role, columns=columns)

    @property
    def prefix(self) -> str:
        """What the service calls the view that it is read of."""
        return self.selection.prefix

    @property
    def selection(self) -> ViewSelection:
        """How the view is read, with none of its features selected."""
        return ViewSelection(self.view, (), self.role, self.columns)

    def __repr__(self) -> str:
        return f"{self.view.name}.{self.name}"
