"""W1: what is damaged is asked for again, the physical day, by itself; sources are left alone."""

from datetime import UTC, datetime

import dagster as dg
import pytest
import redis

from feature_assets.generator.repairs import repair_sensor
from feature_store.errors import DamagedError
from serving.load.verify import OnlineStores, verify_online
from serving.stores.open_store import open_inspector, open_loader
from serving.stores.redis.keys import row_prefix
from tests.dagster.conftest import Location
from tests.dagster.sample.declarations import HouseholdSpend
from tests.offline.damage import DAMAGES, damage_day

VIEW, ONLINE = "retail/household_spend/v1", "online/retail/household_spend_v1"
TILES, TABLE = (f"retail/household_spend/v1/{part}" for part in ("_tiles", "_table"))


def evaluate(location) -> list[dg.RunRequest]:
    context = dg.build_sensor_context(instance=location.instance)
    result = repair_sensor("growth_repairs", [HouseholdSpend])(
        context, offline_store=location.resources["offline_store"]
    )
    return list(result.run_requests or ())


def run(location, request: dg.RunRequest) -> None:
    (key,) = request.asset_selection
    first, last = (request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
    assert location.run([key.to_user_string()], first, last).success


def test_a_damaged_day_is_requested_until_it_is_whole_again(ready):
    assert ready.run([TABLE], "2024-01-09", "2024-01-11").success
    assert evaluate(ready) == []
    values, tiles = ready.store.values(HouseholdSpend), ready.store.tiles(HouseholdSpend)
    before = values.scan().collect().sort("partition_start", "household_id")
    for table in (values, tiles):
        damage_day(table, 9, DAMAGES["cut to half"])
        with pytest.raises(DamagedError):
            table.scan()
    (request,) = evaluate(ready)
    assert (request.asset_selection, request.tags["dagster/asset_partition_range_start"]) == (
        [dg.AssetKey(TILES.split("/"))],
        "2024-01-10",
    )
    assert evaluate(ready)[0].run_key == request.run_key
    run(ready, request)
    (request,) = evaluate(ready)
    assert request.asset_selection == [dg.AssetKey(TABLE.split("/"))]
    run(ready, request)
    assert evaluate(ready) == []
    assert values.scan().collect().sort("partition_start", "household_id").equals(before)


def test_a_damaged_copy_online_is_loaded_again(ready, valkey):
    location = Location(ready.instance, ready.root, online_url=valkey)
    assert location.run([TABLE], "2024-01-09", "2024-01-11").success
    assert location.run([ONLINE]).success
    inspector = open_inspector(valkey)
    served = max(inspector.generations(VIEW), key=lambda each: each.rank)
    entity = next(inspector.entities(VIEW, served)).to_list()[0]
    with redis.Redis.from_url(valkey) as client:
        client.delete(row_prefix(served.id) + entity)
    loader, now = open_loader(valkey), datetime.now(UTC)
    stores = OnlineStores(inspector, loader, inspector.row_counts())
    assert evaluate(location) == []
    assert len(verify_online(location.store, HouseholdSpend, stores, now).damages) == 1
    (request,) = evaluate(location)
    assert request.asset_selection == [dg.AssetKey(ONLINE.split("/"))]
    assert request.job_name == "growth_repairs_online"
    assert evaluate(location)[0].run_key == request.run_key
    assert location.run([ONLINE]).success
    assert evaluate(location) == []
    assert verify_online(location.store, HouseholdSpend, stores, now).damages == ()
    inspector.close()
    loader.close()


def test_a_damaged_source_is_not_landed_again(ready):
    source = ready.store.source("raw/transactions")
    damage_day(source, 9, DAMAGES["missing"])
    with pytest.raises(DamagedError):
        source.scan()
    assert evaluate(ready) == []
