"""Long ranges are read and computed a few days at a time: what is in memory does not grow with them."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_store.engines.engine import StoredRows
from feature_store.engines.polars.engine import AT_ONCE, PolarsEngine
from feature_store.engines.polars.partition_buffer import PartitionBuffer
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.stored_frames import OfflineFrames
from feature_store.temporal.durations import DAY
from feature_store.temporal.instants import from_microseconds
from tests.offline.definitions import START, ShopperEver, ShopperSpend, day, purchase_rows, purchases

DAYS = 120
STORED = StoredRows("somewhere", {}, 0, tuple((number * DAY, (number + 1) * DAY) for number in range(20)))


class RecordedFrames(OfflineFrames):
    """Remembers how many partitions were read, and how many rows staged, at once."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[int] = []
        self.staged: list[int] = []

    def scan(self, rows: StoredRows) -> pl.LazyFrame:
        self.read.append(len(rows.partitions))
        return super().scan(rows)

    def stage(self, target, frame, *facts):
        self.staged.append(frame["partition_start"].n_unique())
        return super().stage(target, frame, *facts)


@pytest.mark.parametrize("view", [ShopperSpend, ShopperEver], ids=["windows", "all history"])
def test_no_more_days_are_read_or_staged_at_once_for_a_longer_range(tmp_path: Path, view) -> None:
    store = OfflineStore(str(tmp_path / "offline"))
    rows = purchase_rows([(number % 3, day(number, 5), "b", 1.0, 1) for number in range(DAYS)])
    store.source(purchases.asset).write(rows, START, day(DAYS), time_column="bought_at", run_id="land")
    for compute in (compute_tiles, compute_values):
        seen = RecordedFrames()
        compute(store, view, START, day(DAYS), "r", engine=PolarsEngine(seen))
        assert max(seen.staged) == 1
        # Checkpoints of all history are 28 days apart; the windows reach back five days.
        assert max(seen.read) <= (28 if view.has_all_history else 5) + AT_ONCE // DAY
        assert sum(seen.read) >= DAYS


@given(st.lists(st.tuples(st.integers(0, 21), st.integers(0, 21)), min_size=1, max_size=8))
def test_a_buffer_holds_what_was_asked_for_whatever_was_asked_before(spans: list[tuple[int, int]]) -> None:
    buffer = PartitionBuffer(STORED, _rows_of)
    for start, end in spans:
        found = buffer.rows(start * DAY, end * DAY)
        expected = _rows_of(STORED.beginning_in(start * DAY, end * DAY)).collect()
        assert_frame_equal(found.sort("row"), expected.sort("row"))


def _rows_of(stored: StoredRows) -> pl.LazyFrame:
    starts = [from_microseconds(start) for start, _ in stored.partitions for _ in range(2)]
    return pl.LazyFrame({"partition_start": pl.Series(starts, dtype=pl.Datetime("us", "UTC"))}).with_columns(
        row=pl.col("partition_start").to_physical() + pl.int_range(pl.len()) % 2
    )
