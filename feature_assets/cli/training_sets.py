"""``training-set``: features for the rows of a file, as they were available at each row's time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl

from feature_assets.cli.declared import declared
from feature_assets.cli.names import find_service
from feature_assets.cli.output import print_json, print_line
from feature_assets.cli.spine_files import check_columns, check_out, read_spine, write_rows
from feature_assets.project.clock import now
from feature_store import Status
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import InputError, NotComputedError
from feature_store.offline.training.training_sets import TrainingSet, build_training_set
from feature_store.plans.service_plan import ServicePlan
from resources.branch import open_store
from resources.settings import Settings


@dataclass(frozen=True)
class SpineOptions:
    """The spine and how features are added to it.

    Attributes:
        path: the file.
        time_column: its column of times.
        allow_missing: give nulls where nothing was computed.
        with_status: add status and as-of.
        max_age: values as of longer ago are EXPIRED; None: as the views' ``ttl`` says.
    """

    path: Path
    time_column: str
    allow_missing: bool
    with_status: bool
    max_age: timedelta | None = None


def write_training_set(service_name: str, options: SpineOptions, out: Path, *, as_json: bool) -> None:
    """Write the training set of a service for the spine in a file.

    Raises:
        InputError: the spine cannot be used, or a row of it lies in the future.
        NotComputedError: rows for which no partition holds a feature.
    """
    service = find_service(declared(), service_name)
    check_out(out)
    spine = read_spine(options.path, service.keys, options.time_column)
    check_columns(spine.schema, out)
    _refuse_future(spine, options)
    training = _build(compile_plan(service), spine, options)
    rows = training.frame
    if out.suffix == ".csv":
        rows = rows.with_columns(
            _status_names(name) for name in rows.columns[spine.width :] if name.endswith("__status")
        )
    write_rows(rows, out)
    if as_json:
        made = {"rows": rows.height, "columns": rows.columns, "out": str(out), "warnings": list(training.warnings)}
        print_json({"service": service.full_name, **made})
    else:
        added = rows.width - spine.width
        print_line(
            f"{out}: {rows.height} rows, {added} columns of {service.full_name} added to the spine's {spine.width}"
        )


def _build(plan: ServicePlan, spine: pl.DataFrame, options: SpineOptions) -> TrainingSet:
    settings = Settings.from_environment()
    store = open_store(settings)
    try:
        return build_training_set(
            store,
            plan,
            spine,
            options.time_column,
            allow_missing=options.allow_missing,
            with_status=options.with_status,
            max_age=options.max_age,
        )
    except NotComputedError as error:
        raise NotComputedError(str(error).replace("allow_missing=True", "--allow-missing")) from error


def _refuse_future(spine: pl.DataFrame, options: SpineOptions) -> None:
    """Refuse rows later than now: nothing would leak, but their features would be others by then."""
    dtype = spine.schema.get(options.time_column)
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        return  # the join says what is wrong with it
    present, times = now(), spine[options.time_column]
    late = (times > present).fill_null(False)
    if late.any():
        row = late.arg_max() or 0
        raise InputError(
            f"--spine {options.path}, row {row + 1}: {options.time_column} {times[row].isoformat()} is later than "
            f"now, {present.isoformat()}: nobody knows its features yet"
        )


def _status_names(column: str) -> pl.Expr:
    names = {status.value: status.name for status in Status}
    return pl.col(column).replace_strict(names, return_dtype=pl.String)
