"""Reading all features of one view, offline and online, in the ways in which training sets and models read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl

from feature_assets.parity.raw_rows import Keys
from feature_assets.parity.report import Value, Values
from feature_store import FeatureService, FeatureView, Status
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import ServicePlan, write_plan
from feature_store.temporal.instants import from_microseconds
from serving.client import FeatureClient
from serving.read.vectors import FeatureVectors

_TIME: Final = "__T"


@dataclass(frozen=True)
class Served:
    """The answers of the online store at one T.

    Attributes:
        as_of: of the values; None: nothing that is usable at T is online.
        values: of each entity, by feature.
    """

    as_of: datetime | None
    values: Mapping[Keys, Values]


def view_plan(view: FeatureView) -> ServicePlan:
    """Return the plan of a service that reads a whole view; its outputs are in the order of the features."""
    service = FeatureService(view.name, view.version, view.owner, view.description, [view.all()])
    return compile_plan(service)


def offline_values(
    store: OfflineStore, view: FeatureView, entities: Sequence[Keys], time: datetime
) -> dict[Keys, Values]:
    """Return every feature of some entities as training rows at T have it."""
    plan = view_plan(view)
    schema = {key: polars_dtype(dtype) for key, dtype in view.entity.keys.items()}
    spine = pl.DataFrame(list(entities), schema=schema, orient="row")
    spine = spine.with_columns(pl.lit(time).cast(INSTANT).alias(_TIME))
    joined = point_in_time_join(store, plan, spine, _TIME, allow_missing=True, with_status=True)
    rows = zip(entities, joined.iter_rows(named=True), strict=True)
    names = _names(view, plan)
    return {
        keys: {name: Value(_listed(row[output]), Status(row[f"{output}__status"])) for name, output in names}
        for keys, row in rows
    }


def online_values(url: str, view: FeatureView, entities: Sequence[Keys], time: datetime) -> Served:
    """Return every feature of some entities as it is served at T.

    Args:
        url: of the online store.
        view: the view.
        entities: their keys.
        time: T. Only generations that are still online can be read.

    Raises:
        FingerprintError: the store holds what another definition computed.
        StoreUnavailableError: the store does not answer.
    """
    plan = view_plan(view)
    columns = {key: [keys[place] for keys in entities] for place, key in enumerate(view.keys)}
    vectors = _read(plan, url, columns, time)
    names = _names(view, plan)
    values = {
        keys: {name: Value(_listed(row[output]), Status(vectors.status[output][place])) for name, output in names}
        for place, (keys, row) in enumerate(zip(entities, vectors.to_dicts(), strict=True))
    }
    as_of = next(iter(vectors.as_of.values()))
    return Served(None if as_of is None else from_microseconds(as_of), values)


def _read(plan: ServicePlan, url: str, keys: Mapping[str, Sequence[Any]], time: datetime) -> FeatureVectors:
    """Read the features of a plan that no folder holds."""
    with TemporaryDirectory() as folder:
        write_plan(Path(folder), plan)
        with FeatureClient(folder, url) as client:
            return client.get_features(plan.full_name, keys, time=time)


def _names(view: FeatureView, plan: ServicePlan) -> list[tuple[str, str]]:
    """Return the features, and what they are called in answers and training rows."""
    return [(feature.name, output.name) for feature, output in zip(view.features, plan.outputs, strict=True)]


def _listed(value: Any) -> Any:
    """Return vectors and arrays as lists; one whose elements are all null is null."""
    if not isinstance(value, list | tuple | pl.Series):
        return value
    return None if all(element is None for element in value) else list(value)
