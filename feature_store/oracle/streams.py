"""What the value of a stream view is at any T."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from feature_store.oracle.expressions import EPOCH, Row
from feature_store.oracle.snapshots import Values, entity_values
from feature_store.views import FeatureView


def stream_as_of(view: FeatureView, time: datetime) -> datetime:
    """Return T rounded down to a whole second, less the lag that ``available_after`` states."""
    second = timedelta(seconds=1)
    return EPOCH + (time - EPOCH) // second * second - timedelta(microseconds=view.available_after)


def stream_values(view: FeatureView, rows: Sequence[Row], time: datetime) -> Values:
    """Return the values of one entity, whose rows are given, at T: those of a snapshot at its as-of.

    Nothing need arrive for them to change: events leave the window as T goes on.
    """
    return entity_values(view, rows, stream_as_of(view, time))
