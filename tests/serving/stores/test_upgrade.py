"""A store that the release before wrote is read, loaded and streamed into while it serves: readers first."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from feature_store.codec.byte_strings import Ragged, from_list
from feature_store.codec.row_codec import EncodedRows, RowLayout
from feature_store.codec.stream_tiles import StreamTiles
from feature_store.codec.tile_codec import TileLayout
from feature_store.columns import Column
from feature_store.plans.service_plan import write_plan
from feature_store.temporal.tile_levels import Instants
from serving.client import FeatureClient
from serving.read.damage import damaged_rows
from serving.stores import generations, streams
from serving.stores.open_store import open_loader, open_reader
from tests.codec.format_one import former_rows, former_tiles
from tests.fixtures.frames import at
from tests.serving.services import keys_of, load_spend, load_stores, service_plan
from tests.serving.streams.purchases import purchase, purchases_world
from tests.stores.sample import DAY, VIEW, baskets, load, now, snapshot


class FormerRelease:
    """Makes loaders and stream writers write the bytes of the release before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def begin(self, as_of: int) -> None:
        def rows(layout: RowLayout, columns: dict[str, Column], keys: Ragged) -> EncodedRows:
            listed = from_list(former_rows(layout, columns, as_of) if len(keys) else [])
            return EncodedRows(listed.buffer, listed.offsets)

        def tiles(layout: TileLayout, given: StreamTiles, since: Instants, keys: Ragged) -> Ragged:
            return from_list(former_tiles(layout, given, since))

        def unsealed(owner: str, record: object) -> tuple[bytes, bytes]:
            # The former release leaves beside it whatever stands there.
            return json.dumps(record).encode(), b"of another record"

        self._monkeypatch.setattr(RowLayout, "encode", rows)
        self._monkeypatch.setattr(TileLayout, "encode", tiles)
        for module in (generations, streams):
            self._monkeypatch.setattr(module, "seal", unsealed)

    def end(self) -> None:
        self._monkeypatch.undo()


@pytest.fixture
def former(monkeypatch: pytest.MonkeyPatch) -> FormerRelease:
    return FormerRelease(monkeypatch)


def first_bytes(url: str) -> set[int]:
    """The first byte of every row in the store: 2 is the present format."""
    with redis.Redis.from_url(url) as client:
        return {client.get(key)[0] for key in client.scan_iter(b"\x01*") if len(key) > 5}


def test_a_generation_of_the_former_release_is_served_until_the_next_one_is(
    valkey: str, former: FormerRelease, tmp_path: Path
) -> None:
    write_plan(tmp_path, service_plan())
    load_stores(valkey, [1, 2])
    as_of, households = now() - 2 * DAY, [1, 2, 7, 10]
    former.begin(as_of)
    load_spend(valkey, households, as_of)
    former.end()
    with FeatureClient(tmp_path, valkey) as client:
        before = client.get_features("churn", keys_of([*households, 99, None])).to_dict()
        assert before["household_spend__baskets"] == [1, 2, 7, 10, 0, 0]
        assert before["household_spend__segment"] == ["s1é", "s2é", "s7é", None, "none", "none"]
        load_spend(valkey, households, now() - DAY)
        after = client.get_features("churn", keys_of([*households, 99, None])).to_dict()
    changing = {name for name in before if name.startswith("days_") or name.endswith("last_seen")}
    assert {name: before[name] for name in before if name not in changing} == {
        name: after[name] for name in after if name not in changing
    }


def test_former_and_present_generations_stand_side_by_side_and_can_be_restored(
    valkey: str, former: FormerRelease
) -> None:
    as_of = now() - 2 * DAY
    former.begin(as_of)
    load(valkey, range(300), snapshot(as_of), factor=2)
    former.end()
    assert baskets(open_reader(valkey), [0, 299, 300]) == [0, 598, None]
    load(valkey, range(300), snapshot(as_of + DAY), factor=3)
    assert baskets(open_reader(valkey), [0, 299, 300]) == [0, 897, None]
    open_loader(valkey).restore(VIEW)
    assert baskets(open_reader(valkey), [0, 299, 300]) == [0, 598, None]


def test_a_former_row_of_another_day_or_cut_is_damaged_alone(valkey: str, former: FormerRelease) -> None:
    as_of = now() - 2 * DAY
    former.begin(as_of)
    report = load(valkey, range(5), snapshot(as_of))
    former.end()
    with redis.Redis.from_url(valkey) as client:
        rows = sorted(key for key in client.scan_iter(b"\x01*") if len(key) > 5)
        client.set(rows[1], client.get(rows[1])[:-1])
        client.setrange(rows[3], 4, b"another!")
    assert baskets(open_reader(valkey), range(5)) == [0, "damaged", 2, "damaged", 4]
    assert report.rows == 5


def test_a_stream_goes_on_over_rows_of_the_former_release(tmp_path: Path, valkey: str, former: FormerRelease) -> None:
    world, met_before = purchases_world(tmp_path, valkey), damaged_rows()
    world.rows = [purchase(at(days=4, hours=1), "z", 1, 7.0)]
    world.land(0, 5)
    hour = at(days=5, hours=4)
    former.begin(0)
    world.sync(at(days=6))
    writer = world.writer(at(days=5))
    first = [purchase(hour, "a", 1, 2.0), purchase(hour, "b", 2, 3.0)]
    world.append(writer, first)
    writer.close()
    former.end()
    assert 2 not in first_bytes(valkey)
    world.rows += first
    time = hour + timedelta(minutes=1)
    world.check([(1,), (2,), (3,)], time)
    successor = world.writer(hour)
    assert world.append(successor, first).duplicates == 2, "the ids that the former release wrote are known"
    more = [purchase(hour, "c", 1, 5.0), purchase(hour, "d", 3, 1.0)]
    world.append(successor, more)
    world.rows += more
    world.check([(1,), (2,), (3,)], time)
    assert 2 in first_bytes(valkey)
    world.land(5, 6)
    world.sync(at(days=6, hours=3))
    world.check([(1,), (2,), (3,)], at(days=6, hours=3))
    assert damaged_rows() == met_before
