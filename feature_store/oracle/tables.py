"""Snapshots of table views: per key the latest row that was known and still holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from feature_store.model.sources import TableSource
from feature_store.model.views import FeatureView
from feature_store.oracle.expressions import Row, as_type, evaluate
from feature_store.oracle.rows import keys_of, rank
from feature_store.oracle.snapshots import Snapshot, Values, as_default, with_derived


def table_snapshot(view: FeatureView, rows: Sequence[Row], as_of: datetime, available_at: datetime) -> Snapshot:
    """Return the values of every key whose latest known row holds at the as-of."""
    source = table_source(view)
    known = [row for row in rows if is_before(source, row, as_of) and has_landed(source, row, available_at)]
    found: Snapshot = {}
    for keys in dict.fromkeys(keys_of(view, row) for row in known):
        latest = max((row for row in known if keys_of(view, row) == keys), key=lambda row: rank(source, row))
        if None not in keys and holds(view, latest, as_of):
            found[keys] = row_values(view, latest)
    return found


def is_before(source: TableSource, row: Row, as_of: datetime) -> bool:
    """Whether a row has a time of its own, and that is strictly before the as-of."""
    return row[source.time] is not None and row[source.time] < as_of


def has_landed(source: TableSource, row: Row, available_at: datetime) -> bool:
    """Whether, where a landing time is declared, a row landed by the available-at; without a time it did not."""
    if source.landed_at is None:
        return True
    return row[source.landed_at] is not None and row[source.landed_at] <= available_at


def holds(view: FeatureView, row: Row, as_of: datetime) -> bool:
    """Whether a row is not deleted, not past its ``valid_to`` and not older than ``row_ttl``."""
    source = table_source(view)
    return not (is_deleted(source, row) or is_past(source, row, as_of) or is_too_old(view, row, as_of))


def is_deleted(source: TableSource, row: Row) -> bool:
    """Whether a row ends its key."""
    return source.deleted is not None and row[source.deleted] is True


def is_past(source: TableSource, row: Row, as_of: datetime) -> bool:
    """Whether the as-of is after a row's ``valid_to``; without one it holds for ever."""
    return source.valid_to is not None and row[source.valid_to] is not None and as_of > row[source.valid_to]


def is_too_old(view: FeatureView, row: Row, as_of: datetime) -> bool:
    """Whether a row's own time is more than ``row_ttl`` before the as-of."""
    age = as_of - row[table_source(view).time]
    return view.row_ttl is not None and age > timedelta(microseconds=view.row_ttl)


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
