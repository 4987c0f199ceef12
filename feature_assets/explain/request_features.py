"""Explains a request feature: what came with the request, what was read, and what each side makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl

from feature_assets.explain.explanation import Record, plain
from feature_assets.parity.report import Value
from feature_assets.parity.text import iso, plain_text
from feature_store import FeatureService, Status
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.expressions.nodes import ColumnRef, replace_columns
from feature_store.expressions.text import to_text
from feature_store.model.request_features import ComputedFeature
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.services import computed_value, inputs_of
from feature_store.plans.service_plan import PlanExpression, ServicePlan, write_plan
from serving.client import FeatureClient
from serving.stores.errors import StoreError

_TIME: Final = "__T"


@dataclass(frozen=True)
class ReadValue:
    """A feature that a request feature reads, as a training row at T has it."""

    feature: str
    keys: Mapping[str, Any]
    value: Value


@dataclass(frozen=True)
class RequestExplanation:
    """Why a request feature has its value.

    Attributes:
        feature: ``service/vN.feature``.
        dtype: of its values.
        logic: how it is computed.
        values: the same with what came and what was read in the place of names.
        keys, inputs: of the request.
        time: T.
        reads: what it reads.
        recomputed: in plain Python, from what was read.
        offline: in a training row at T.
        online: as served at T; None where nothing can be compared, see ``online_note``.
        online_note: why there is no online value.
        agree: whether all that could be compared do.
    """

    feature: str
    dtype: str
    logic: str
    values: str
    keys: Mapping[str, Any]
    inputs: Mapping[str, Any]
    time: datetime
    reads: Sequence[ReadValue]
    recomputed: Value
    offline: Value
    online: Value | None
    online_note: str
    agree: bool

    def to_record(self) -> Record:
        """Return it as JSON holds it: instants as ISO 8601 text, statuses by name."""
        record: Record = plain(self)
        return record


def explain_request_feature(
    store: OfflineStore,
    service: FeatureService,
    output: ComputedFeature,
    request: Mapping[str, Any],
    time: datetime,
    online_url: str | None,
) -> RequestExplanation:
    """Explain the value of a request feature.

    Args:
        store: the offline store.
        service: whose feature it is.
        output: the feature.
        request: keys and inputs by name.
        time: T, with a zone.
        online_url: of the online store; None: leave it out.
    """
    plan = _narrowed(compile_plan(service), output.name)
    row = _training_row(store, plan, request, time)
    found = {read.name: _value(row, read.name) for read in plan.reads}
    inputs = inputs_of(service, request)
    given = {name: inputs[name] for name in output.inputs}
    reads = {name: (value.value, value.status or Status.PRESENT) for name, value in found.items()}
    recomputed = Value(*computed_value(output, reads, inputs))
    offline = _value(row, output.name)
    as_ofs = {view.prefix: row[f"{view.prefix}__as_of"] for view in plan.views}
    online, note = _served(online_url, plan, request, time, as_ofs, output.name)
    places = {each.name: each for each in output.reads}
    return RequestExplanation(
        feature=f"{service.full_name}.{output.name}",
        dtype=output.dtype.name,
        logic=output.logic,
        values=_with_values(output, given, found),
        keys={name: request[name] for name in plan.keys},
        inputs=given,
        time=time,
        reads=[
            ReadValue(
                places[name].full_name,
                {key: request[places[name].selection.key_column(key)] for key in places[name].selection.view.keys},
                value,
            )
            for name, value in found.items()
        ],
        recomputed=recomputed,
        offline=offline,
        online=online,
        online_note=note,
        agree=offline == recomputed and online in (None, recomputed),
    )


def _narrowed(plan: ServicePlan, name: str) -> ServicePlan:
    """Return the plan of one request feature and of what it reads."""
    output = next(each for each in plan.outputs if each.name == name)
    assert isinstance(output, PlanExpression)
    used = sorted({read.view for read in output.reads})
    places = {view: place for place, view in enumerate(used)}
    reads = tuple(replace(read, view=places[read.view]) for read in output.reads)
    views = tuple(plan.views[view] for view in used) or plan.views[:1]
    return replace(plan, views=views, outputs=(replace(output, reads=reads), *reads))


def _training_row(store: OfflineStore, plan: ServicePlan, request: Mapping[str, Any], time: datetime) -> dict[str, Any]:
    keys = pl.DataFrame(
        {name: pl.Series([request[name]], dtype=polars_dtype(dtype)) for name, dtype in plan.keys.items()}
    )
    given = {each.name: pl.Series([request[each.name]]) for each in plan.needed_inputs if each.name in request}
    spine = keys.with_columns(**given, **{_TIME: pl.lit(time)})
    (row,) = point_in_time_join(store, plan, spine, _TIME, allow_missing=True, with_status=True).to_dicts()
    return row


def _value(row: Mapping[str, Any], name: str) -> Value:
    return Value(row[name], Status(row[f"{name}__status"]))


def _served(
    url: str | None,
    plan: ServicePlan,
    request: Mapping[str, Any],
    time: datetime,
    as_ofs: Mapping[str, datetime | None],
    name: str,
) -> tuple[Value | None, str]:
    if url is None:
        return None, "not asked for"
    keys = {column: [request[column]] for column in plan.keys}
    inputs = {each.name: [request[each.name]] for each in plan.needed_inputs if each.name in request}
    try:
        with TemporaryDirectory() as folder:
            write_plan(Path(folder), plan)
            with FeatureClient(folder, url) as client:
                vectors = client.get_features(plan.full_name, keys, inputs=inputs or None, time=time)
    except StoreError as error:
        return None, str(error)
    for prefix, text in vectors.as_of_text().items():
        offline = as_ofs[prefix]
        if text is None or datetime.fromisoformat(text) != offline:
            found = "holds nothing that was served at T" if text is None else f"answers this T from as-of {text}"
            return None, f"{prefix}: {found}, offline {'from none' if offline is None else iso(offline)}"
    value = vectors.to_dict()[name][0]
    return Value(value, Status(int(vectors.status[name][0]))), ""


def _with_values(output: ComputedFeature, given: Mapping[str, Any], found: Mapping[str, Value]) -> str:
    """Return the logic with values: ``12.5 / spend_30d 170.1``."""
    texts = {name: plain_text(value) for name, value in given.items()}
    texts |= {name: f"{name.rpartition('.')[2]} {value}" for name, value in found.items()}
    return to_text(replace_columns(output.expression, lambda name: ColumnRef(texts[name])))
