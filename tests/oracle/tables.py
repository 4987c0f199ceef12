"""What a snapshot of a table view is, in plain Python."""

from __future__ import annotations

from datetime import datetime, timedelta

from feature_store import FeatureView
from tests.oracle.expressions import as_type, evaluate
from tests.oracle.snapshots import Snapshot, as_default, keys_of, with_derived


def table_snapshot(view: FeatureView, rows: list[dict], as_of: datetime, available_at: datetime) -> Snapshot:
    """The values of every key whose latest known row holds at the as-of."""
    columns = view.source.columns
    clean = [{name: as_type(row[name], dtype) for name, dtype in columns.items()} for row in rows]
    known = [row for row in clean if is_known(view, row, as_of, available_at)]
    found = {}
    for keys in dict.fromkeys(keys_of(view, row) for row in known):
        latest = max((row for row in known if keys_of(view, row) == keys), key=lambda row: order(view, row))
        if holds(view, latest, as_of):
            found[keys] = row_values(view, latest)
    return found


def is_known(view: FeatureView, row: dict, as_of: datetime, available_at: datetime) -> bool:
    source = view.source
    if None in keys_of(view, row) or row[source.time] is None or row[source.time] >= as_of:
        return False
    landed = None if source.landed_at is None else row[source.landed_at]
    return source.landed_at is None or (landed is not None and landed <= available_at)


def order(view: FeatureView, row: dict) -> list[tuple]:
    """Time, sequence, then every other column as declared; null before everything."""
    source = view.source
    names = [source.time, *([source.sequence] if source.sequence else []), *source.columns]
    return [(row[name] is not None, row[name]) for name in dict.fromkeys(names)]


def holds(view: FeatureView, row: dict, as_of: datetime) -> bool:
    source = view.source
    deleted = source.deleted is not None and row[source.deleted] is True
    valid_to = None if source.valid_to is None else row[source.valid_to]
    past = valid_to is not None and as_of > valid_to
    old = view.row_ttl is not None and as_of - row[source.time] > timedelta(microseconds=view.row_ttl)
    return not (deleted or past or old)


def row_values(view: FeatureView, row: dict) -> dict[str, object]:
    values = {}
    for feature in view.stored_features:
        if feature.kind == "field":
            value = as_type(evaluate(feature.expression, row, view.source.columns), feature.dtype)
            values[feature.name] = as_default(feature) if value is None else value
    return with_derived(view, values)
