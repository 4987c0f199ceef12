"""``training-set``: features for the rows of a file, as they were available at each row's time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from feature_assets.cli.names import find_service
from feature_assets.cli.output import print_json, print_line
from feature_assets.cli.plan_folder import compile_service
from feature_assets.cli.spine_files import check_out, read_spine, write_rows
from feature_assets.declarations import load_declarations
from feature_store.offline.point_in_time import point_in_time_join
from feature_store.offline.store import OfflineStore
from resources.settings import Settings


@dataclass(frozen=True)
class SpineOptions:
    """The spine and how features are added to it.

    Attributes:
        path: the file.
        time_column: its column of times.
        allow_missing: give nulls where nothing was computed.
        with_status: add status and as-of.
    """

    path: Path
    time_column: str
    allow_missing: bool
    with_status: bool


def write_training_set(service_name: str, options: SpineOptions, out: Path, *, as_json: bool) -> None:
    """Write the training set of a service for the spine in a file."""
    service = find_service(load_declarations(), service_name)
    check_out(out)
    spine = read_spine(options.path, service.keys, options.time_column)
    settings = Settings.from_environment()
    rows = point_in_time_join(
        OfflineStore(settings.offline_root, settings.storage_options),
        compile_service(service),
        spine,
        options.time_column,
        allow_missing=options.allow_missing,
        with_status=options.with_status,
    )
    write_rows(rows, out)
    if as_json:
        print_json({"service": service.full_name, "rows": rows.height, "columns": rows.columns, "out": str(out)})
    else:
        added = rows.width - spine.width
        print_line(
            f"{out}: {rows.height} rows, {added} columns of {service.full_name} added to the spine's {spine.width}"
        )
