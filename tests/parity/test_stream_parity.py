"""What is kept of a stream view against values recomputed from its events, at any T."""

from datetime import timedelta

import polars as pl
import pytest

from feature_assets.parity.sampling import Sample
from feature_assets.parity.stored import check_stored
from feature_store.offline.materialize.materialize import compute_tiles
from feature_store.offline.tables.store import OfflineStore
from tests.fixtures.frames import at, frame
from tests.fixtures.stream_views import LIVE, Live
from tests.fixtures.views import COLUMNS
from tests.offline.stream_world import random_row

DAYS = 14
SAMPLE = Sample(entities=3, instants=3)


@pytest.fixture
def store(tmp_path) -> OfflineStore:
    """Events of two weeks, landed day by day, and their tiles."""
    import random

    dice = random.Random(5)
    rows = [random_row(dice, at(days=dice.randrange(DAYS), hours=dice.random() * 24)) for _ in range(300)]
    store = OfflineStore(str(tmp_path / "offline"))
    store.source(LIVE.asset).write(frame(rows, COLUMNS), at(), at(days=DAYS), time_column="time", run_id="r")
    compute_tiles(store, Live, at(), at(days=DAYS), "r")
    return store


def test_a_stream_view_is_recomputed_at_any_time(store):
    parity = check_stored(store, Live, None, at(days=DAYS + 3), SAMPLE)
    assert parity.is_sound, str(parity)
    assert parity.paths()["offline"] >= 2 * len(Live.features)
    times = {c.place.at for c in parity.values}
    assert len(times) == 3
    assert max(times) <= at(days=DAYS) + timedelta(seconds=5)


def test_a_tile_that_holds_too_much_is_found(store):
    tiles, opened = store.tiles(Live), store.tiles(Live).open()
    last = opened.partitions.row(-2, named=True)
    start = last["partition_start"]
    rows = opened.scan(opened.partitions.filter(pl.col("partition_start") == start)).collect()
    (total,) = [c for c in Live.feature("number_12d").aggregation.state_columns() if c.startswith("sum_")]
    wrong = rows.with_columns(pl.col(total) + 7)
    planted = {start: last["inputs_hash"]}
    tiles.write(wrong, start, last["as_of"], run_id="planted", inputs_hash=planted)
    parity = check_stored(store, Live, None, at(days=DAYS + 3), SAMPLE)
    assert {c.feature for c in parity.different} == {"number_12d"}
    assert "| number_12d | offline |" in parity.difference_table()
