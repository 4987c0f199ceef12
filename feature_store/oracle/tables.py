"""What a snapshot of a table view is: per key the latest row that was known and still holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from feature_store.oracle.expressions import Row, as_type, evaluate
from feature_store.oracle.snapshots import Snapshot, Values, as_default, keys_of, with_derived
from feature_store.sources import TableSource
from feature_store.views import FeatureView


def table_snapshot(view: FeatureView, rows: Sequence[Row], as_of: datetime, available_at: datetime) -> Snapshot:
    """Return the values of every key whose latest known row holds at the as-of."""
    columns = view.source.columns
    clean = [{name: as_type(row[name], dtype) for name, dtype in columns.items()} for row in rows]
    known = [row for row in clean if is_known(view, row, as_of, available_at)]
    found: Snapshot = {}
    for keys in dict.fromkeys(keys_of(view, row) for row in known):
        latest = max((row for row in known if keys_of(view, row) == keys), key=lambda row: order(view, row))
        if holds(view, latest, as_of):
            found[keys] = row_values(view, latest)
    return found


def is_known(view: FeatureView, row: Row, as_of: datetime, available_at: datetime) -> bool:
    """Whether a row's own time is before the as-of and, where a landing time is declared, it landed in time."""
    source = table_source(view)
    if None in keys_of(view, row) or row[source.time] is None or row[source.time] >= as_of:
        return False
    landed = None if source.landed_at is None else row[source.landed_at]
    return source.landed_at is None or (landed is not None and landed <= available_at)


def order(view: FeatureView, row: Row) -> list[tuple[bool, Any]]:
    """Return what the latest row is the largest by: time, sequence, every other column; null before everything."""
    source = table_source(view)
    names = [source.time, *([source.sequence] if source.sequence else []), *source.columns]
    return [(row[name] is not None, row[name]) for name in dict.fromkeys(names)]


def holds(view: FeatureView, row: Row, as_of: datetime) -> bool:
    """Whether a row is not deleted, not past its ``valid_to`` and not older than ``row_ttl``."""
    source = table_source(view)
    deleted = source.deleted is not None and row[source.deleted] is True
    valid_to = None if source.valid_to is None else row[source.valid_to]
    past = valid_to is not None and as_of > valid_to
    old = view.row_ttl is not None and as_of - row[source.time] > timedelta(microseconds=view.row_ttl)
    return not (deleted or past or old)


def row_values(view: FeatureView, row: Row) -> Values:
    """Return the values of a row: fields, cast, their default instead of null, then derived features."""
    values: Values = {}
    for feature in view.stored_features:
        if feature.kind == "field":
            assert feature.expression is not None
            value = as_type(evaluate(feature.expression, row, view.source.columns), feature.dtype)
            values[feature.name] = as_default(feature) if value is None else value
    return with_derived(view, values)


def table_source(view: FeatureView) -> TableSource:
    """Return the source of a table view."""
    assert isinstance(view.source, TableSource)
    return view.source
