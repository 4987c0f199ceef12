"""The point-in-time join: every spine row gets the features as they were available just before its time.

A cadence view is joined in two vectorised steps: which partition each row may see (from the ledger alone), and an
equi-join of rows and that partition's entities on typed keys. Only those partitions and columns are read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from feature_store.columns import Column
from feature_store.dtypes import Timestamp, dtype_from_name
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.errors import NotComputedError
from feature_store.offline.instants import from_microseconds
from feature_store.offline.partition_choice import Availability, Choice, choose_partitions
from feature_store.offline.reading import OpenTable
from feature_store.offline.spines import Spine, check_spine
from feature_store.offline.store import OfflineStore
from feature_store.on_read import compute_on_read
from feature_store.plans import PlanFeature, PlanOutput, PlanView, ServicePlan
from feature_store.status import Status

Statuses = npt.NDArray[np.int8]

_FOUND = "__found"


def point_in_time_join(
    store: OfflineStore,
    plan: ServicePlan,
    spine: pl.DataFrame,
    time_column: str,
    *,
    allow_missing: bool = False,
    with_status: bool = False,
    availability: Availability = "promised",
) -> pl.DataFrame:
    """Add the features of a service to a spine.

    Args:
        store: the offline store.
        plan: of the service.
        spine: key columns as the service names them, the time, and any others.
        time_column: T of each row: timestamps with a zone. Values available strictly before T are seen.
        allow_missing: give null where nothing was computed, instead of failing.
        with_status: also add ``<output>__status`` (Int8, see ``Status``) and ``<prefix>__as_of`` per view.
        availability: ``promised``: by the view's declared delay; ``actual``: by when it was really published.

    Returns:
        The spine's rows in order, each exactly once, its columns untouched, then the outputs in the service's order.

    Raises:
        InputError: the spine cannot be used.
        NotComputedError: rows for which no partition holds a feature, unless ``allow_missing``.
        FingerprintError: a partition was computed by another definition of a feature.
    """
    return join_opened(
        open_views(store, plan),
        plan,
        spine,
        time_column,
        allow_missing=allow_missing,
        with_status=with_status,
        availability=availability,
    )


def open_views(store: OfflineStore, plan: ServicePlan) -> list[OpenTable]:
    """Return one look at the values of each view of a plan, in its order."""
    return [store.stored_values(view.view).open() for view in plan.views]


def join_opened(
    tables: Sequence[OpenTable],
    plan: ServicePlan,
    spine: pl.DataFrame,
    time_column: str,
    *,
    allow_missing: bool,
    with_status: bool,
    availability: Availability,
) -> pl.DataFrame:
    """Do ``point_in_time_join`` from tables that are already open, one per view of the plan."""
    extra = _extra_names(plan) if with_status else []
    checked = check_spine(plan, spine, time_column, [*(output.name for output in plan.outputs), *extra])
    choices = [
        choose_partitions(view, table.partitions, checked.time, availability)
        for view, table in zip(plan.views, tables, strict=True)
    ]
    if not allow_missing:
        _require_computed(plan, choices, checked)
    outputs: dict[str, pl.Series] = {}
    statuses: dict[str, Statuses] = {}
    for number, (view, table, choice) in enumerate(zip(plan.views, tables, choices, strict=True)):
        read = _read_view(table, view, choice, checked)
        for output in plan.outputs:
            if output.view == number:
                outputs[output.name], statuses[output.name] = _output(output, view, choice, read, checked)
    added = [outputs[output.name].alias(output.name) for output in plan.outputs]
    if with_status:
        added += [pl.Series(f"{output.name}__status", statuses[output.name], pl.Int8) for output in plan.outputs]
        for view, choice in zip(plan.views, choices, strict=True):
            added.append(choice.of_rows("as_of").alias(f"{view.prefix}__as_of"))
    return spine.with_columns(added)


def _extra_names(plan: ServicePlan) -> list[str]:
    return [*(f"{output.name}__status" for output in plan.outputs), *(f"{view.prefix}__as_of" for view in plan.views)]


def _require_computed(plan: ServicePlan, choices: list[Choice], spine: Spine) -> None:
    problems: list[str] = []
    for view, choice in zip(plan.views, choices, strict=True):
        nothing = choice.status == Status.NOT_COMPUTED
        lacking: dict[str, list[str]] = {}
        for feature in view.features:
            rows = nothing | choice.lacks(feature.name)
            if rows.any():
                first, last = (from_microseconds(int(at)) for at in (spine.time[rows].min(), spine.time[rows].max()))
                lacking.setdefault(f"{rows.sum()} rows from {first} to {last}", []).append(feature.name)
        for rows_text, names in lacking.items():
            which = "" if len(names) == len(view.features) else f".{', .'.join(names)}"
            problems.append(f"{view.view}{which}: {rows_text}")
    if problems:
        raise NotComputedError(
            "no partition holds these features for some rows of the spine: "
            f"{'; '.join(problems)}. Backfill the views, drop these rows, or pass allow_missing=True to get null"
        )


def _read_view(table: OpenTable, view: PlanView, choice: Choice, spine: Spine) -> pl.DataFrame:
    """Return the stored features per spine row, and whether the entity was found; null where it was not."""
    types = {feature.name: _stored_type(feature) for feature in view.features}
    nulls = [pl.lit(None, dtype).alias(name) for name, dtype in types.items()]
    has_key = spine.frame.select(pl.all_horizontal(pl.col(key.column).is_not_null() for key in view.keys)).to_series()
    wanted = np.unique(choice.index[choice.is_read & has_key.to_numpy()])
    if not len(wanted):
        return pl.DataFrame({_FOUND: np.zeros(spine.frame.height, np.bool_)}).with_columns(nulls)
    keys = [key.name for key in view.keys]
    right = table.scan(choice.partitions[wanted]).select(
        pl.col("partition_start").alias("__partition"),
        *(pl.col(key).alias(f"__key_{key}") for key in keys),
        *(_stored_expression(feature, choice, wanted.tolist()).alias(feature.name) for feature in view.features),
        pl.lit(value=True).alias(_FOUND),
    )
    read_from = pl.select(pl.when(pl.Series(choice.is_read)).then(choice.of_rows("partition_start"))).to_series()
    left = spine.frame.select(
        read_from.alias("__partition"), *(pl.col(key.column).alias(f"__key_{key.name}") for key in view.keys)
    )
    on = left.columns
    # Stored rows stream past the spine's keys, so that only those that are asked for are ever held.
    asked = right.join(left.lazy().drop_nulls().unique(), on=on, how="semi").collect()
    joined = left.join(asked, on=on, how="left", maintain_order="left").drop(on)
    return joined.with_columns(pl.col(_FOUND).fill_null(value=False))


def _stored_expression(feature: PlanFeature, choice: Choice, wanted: Sequence[int]) -> pl.Expr:
    """Read a feature from the column that holds it in each partition: another one before it was renamed."""
    columns = choice.columns[feature.name]
    names = dict.fromkeys(columns[partition] for partition in wanted)
    expression = pl.lit(None)
    for name in names:
        if name is not None:
            partitions = [partition for partition in wanted if columns[partition] == name]
            starts = choice.partitions["partition_start"].gather(partitions)
            here = pl.col("partition_start").is_in(starts.implode())
            expression = pl.col(name) if len(names) == 1 else pl.when(here).then(pl.col(name)).otherwise(expression)
    return expression.cast(_stored_type(feature))


def _stored_type(feature: PlanFeature) -> pl.DataType:
    return polars_dtype(dtype_from_name(feature.dtype))


def _output(
    output: PlanOutput, view: PlanView, choice: Choice, read: pl.DataFrame, spine: Spine
) -> tuple[pl.Series, Statuses]:
    if output.feature is None:
        assert output.on_read is not None
        return _on_read(output, None, spine), np.full(len(spine.time), Status.PRESENT, np.int8)
    feature = next(feature for feature in view.features if feature.name == output.feature)
    status = choice.status.copy()
    status[choice.is_read & ~read[_FOUND].to_numpy()] = Status.EMPTY
    status[choice.lacks(feature.name)] = Status.NOT_COMPUTED
    stored = read[feature.name]
    if feature.empty is not None:
        stored = _fill_empty(stored, feature, status)
    return (stored if output.on_read is None else _on_read(output, stored, spine)), status


def _fill_empty(stored: pl.Series, feature: PlanFeature, status: Statuses) -> pl.Series:
    plain = pl.Series([feature.empty], dtype=pl.Int64 if feature.dtype == Timestamp.name else None)
    empty = pl.lit(plain.cast(stored.dtype)).first()
    return pl.select(pl.when(pl.Series(status == Status.EMPTY)).then(empty).otherwise(stored)).to_series()


def _on_read(output: PlanOutput, stored: pl.Series | None, spine: Spine) -> pl.Series:
    assert output.on_read is not None
    column = None
    if stored is not None:
        column = Column(stored.to_physical().fill_null(0).to_numpy(), stored.is_not_null().to_numpy())
    result = compute_on_read(output.on_read, column, spine.time)
    values = pl.Series(result.values, dtype=polars_dtype(dtype_from_name(output.dtype)))
    return pl.select(pl.when(pl.Series(result.valid)).then(values)).to_series()
