"""What people see of an asset graph, as JSON that is reviewed like code."""

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg

FOLDER = Path(__file__).parent / "snapshots"
LEFT_OUT = {"dagster/code_references", "dagster/io_manager_key"}


def describe(definitions: dg.Definitions) -> dict[str, Any]:
    """Return every asset and check, sorted, without what changes by itself."""
    graph = definitions.resolve_asset_graph()
    specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
    return {
        "assets": {key.to_user_string(): _asset(graph, specs[key]) for key in sorted(specs)},
        "checks": sorted(key.to_user_string() for key in graph.asset_check_keys),
        "schedules": sorted(schedule.name for schedule in definitions.schedules or []),
        "sensors": sorted(sensor.name for sensor in definitions.sensors or []),
    }


def check_snapshot(name: str, described: dict[str, Any]) -> None:
    """Compare with the stored snapshot; ``UPDATE_SNAPSHOTS=1`` writes it instead.

    Raises:
        AssertionError: the graph is not the one that was reviewed; lists what differs.
    """
    path = FOLDER / f"{name}.json"
    text = json.dumps(described, indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text)
    stored = json.loads(path.read_text())
    assert json.loads(text) == stored, f"{name}: review the change, then run with UPDATE_SNAPSHOTS=1"


def _asset(graph: Any, spec: dg.AssetSpec) -> dict[str, Any]:
    node = graph.get(spec.key)
    policy = spec.freshness_policy
    deps = {dep.asset_key.to_user_string(): _mapping(dep.partition_mapping) for dep in spec.deps}
    return {
        "deps": deps,
        "group": spec.group_name,
        "owners": list(spec.owners or []),
        "kinds": sorted(spec.kinds),
        "tags": {k: v for k, v in spec.tags.items() if not k.startswith("dagster/")},
        "code_version": spec.code_version,
        "executable": node.is_executable,
        "partitions": None if spec.partitions_def is None else _partitions(spec.partitions_def),
        "backfill": None if node.backfill_policy is None else node.backfill_policy.max_partitions_per_run,
        "condition": None if spec.automation_condition is None else spec.automation_condition.get_label(),
        "fail_window_hours": None if policy is None else policy.fail_window.to_timedelta().total_seconds() / 3600,
        "description": spec.description,
        "metadata": {k: _value(v) for k, v in spec.metadata.items() if k not in LEFT_OUT},
    }


def _partitions(definition: Any) -> str:
    return f"{type(definition).__name__} from {definition.start:%Y-%m-%d %H:%M}"


def _mapping(mapping: Any) -> str | None:
    return None if mapping is None else f"{type(mapping).__name__} from {mapping.start_offset}"


def _value(value: Any) -> Any:
    plain = getattr(value, "value", value)
    if isinstance(plain, dg.TableSchema):
        return [f"{column.name}: {column.type}" for column in plain.columns]
    if isinstance(plain, dg.TableColumnLineage):
        return {column: [_column(dep) for dep in deps] for column, deps in plain.deps_by_column.items()}
    return plain if isinstance(plain, int | float | str) else str(plain)


def _column(dep: dg.TableColumnDep) -> str:
    return f"{dep.asset_key.to_user_string()}.{dep.column_name}"
