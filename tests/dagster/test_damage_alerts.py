"""Damage reaches the owner's channel: what it is, whose, and what to do; once, and once when it is over."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from feature_store.errors import DamagedError
from feature_store.offline.delta import stored_files
from resources.offline import OfflineStoreResource
from sensors.damage_alerts import damage_to_slack
from sensors.freshness import freshness_to_slack
from sensors.slack_sensor import Watched
from serving.load.verify import OnlineStores, verify_online
from serving.stores.open_store import open_inspector, open_loader
from serving.stores.redis.keys import row_prefix
from tests.dagster.sample import project
from tests.dagster.sample.declarations import START, HouseholdPrices, HouseholdSpend
from tests.dagster.slack_server import SlackServer
from tests.dagster.test_freshness_sensor import Watch
from tests.offline.damage import DAMAGES, damage_day

NAME = HouseholdSpend.full_name


@pytest.fixture
def slack():
    with SlackServer() as server:
        yield server


@pytest.fixture
def watch(instance, tmp_path: Path, slack: SlackServer, valkey: str) -> Watch:
    made = Watch(instance, tmp_path, slack.url, valkey, views=[HouseholdSpend], sensor=damage_to_slack)
    made.make_fresh(HouseholdSpend)
    made.load(HouseholdSpend)
    made.tick()
    assert slack.messages == []
    return made


def texts(slack: SlackServer) -> list[str]:
    told = [message["text"] for message in slack.messages]
    slack.messages.clear()
    return told


def test_a_damaged_source_is_told_since_nobody_lands_it_again_by_itself(watch: Watch, slack: SlackServer) -> None:
    table = watch.store.source(HouseholdSpend.source.asset)
    landed = project.receipts(START, START.replace(day=3))
    table.write(landed, START, START.replace(day=3), time_column="purchased_at", run_id="r")
    file = damage_day(table, 1, DAMAGES["cut to half"])
    watch.tick()
    assert texts(slack) == [], "nobody has met it yet"
    with pytest.raises(DamagedError):
        table.scan()
    watch.tick()
    watch.tick()
    (told,) = texts(slack)
    assert f"raw/transactions, the source of {NAME}, is damaged*: 2024-01-02: " in told
    assert file.name in told
    assert "nobody lands a source again by itself" in told
    assert f"features verify {NAME}`" in told
    assert "Owner: growth" in told
    assert "Read by: service churn/v1 (growth), model churn_forest (growth)" in told
    assert "<http://dagster.example:3000/assets/raw/transactions|" in told
    table.write(landed, START, START.replace(day=3), time_column="purchased_at", run_id="r")
    watch.tick()
    watch.tick()
    (over,) = texts(slack)
    assert "raw/transactions, the source of" in over
    assert "is sound again" in over


def test_a_source_of_several_views_is_told_once_to_each_owner(
    instance, tmp_path: Path, slack: SlackServer, valkey: str
) -> None:
    watch = Watch(instance, tmp_path, slack.url, valkey, sensor=damage_to_slack)
    assert HouseholdSpend.source.asset == HouseholdPrices.source.asset
    watch.tick()
    texts(slack)
    table = watch.store.source("raw/transactions")
    table.write(
        project.receipts(START, START.replace(day=3)),
        START,
        START.replace(day=3),
        time_column="purchased_at",
        run_id="r",
    )
    damage_day(table, 1, DAMAGES["missing"])
    with pytest.raises(DamagedError):
        table.scan()
    watch.tick()
    assert sorted(message["channel"] for message in slack.messages) == ["#growth-features", "#pricing-features"]
    again = replace(HouseholdSpend, name="household_spend_again")
    own = Watch(instance, tmp_path, slack.url, valkey, views=[HouseholdSpend, again], sensor=damage_to_slack)
    slack.messages.clear()
    own.tick()
    assert len([text for text in texts(slack) if "raw/transactions" in text]) == 1


def test_damaged_values_are_told_with_what_is_done_about_them(watch: Watch, slack: SlackServer) -> None:
    values = watch.store.values(HouseholdSpend)
    file = newest_file(values.uri)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    stored_files._checked.clear()
    with pytest.raises(DamagedError):
        values.scan()
    watch.tick()
    watch.tick()
    (told,) = texts(slack)
    assert f"{NAME} is damaged*: values " in told
    assert "asked for by themselves" in told
    assert f"features verify {NAME} --repair" in told
    assert "/assets/retail/household_spend/v1/_table|" in told
    watch.make_fresh(HouseholdSpend)
    watch.tick()
    (over, *_) = texts(slack)
    assert f"{NAME} is sound again" in over


def newest_file(uri: str) -> Path:
    return max(Path(uri).glob("day=*/*.parquet"))


def test_a_damaged_copy_online_is_told_until_it_is_loaded_again(watch: Watch, slack: SlackServer) -> None:
    with closing(open_inspector(watch.online)) as inspector, closing(open_loader(watch.online)) as loader:
        served = max(inspector.generations(NAME), key=lambda each: each.rank)
        entity = next(inspector.entities(NAME, served)).to_list()[0]
        with redis.Redis.from_url(watch.online) as client:
            client.delete(row_prefix(served.id) + entity)
        stores = OnlineStores(inspector, loader, inspector.row_counts())
        assert len(verify_online(watch.store, HouseholdSpend, stores, datetime.now(UTC)).damages) == 1
    watch.tick()
    watch.tick()
    (told,) = texts(slack)
    as_of = watch.store.values(HouseholdSpend).ledger.partitions()["as_of"].max()
    assert f"{NAME} online is damaged*: as of {as_of:%Y-%m-%d %H:%M} UTC: 1 of 1 rows are missing" in told
    assert f"features verify {NAME} --online --repair" in told
    assert "/assets/online/retail/household_spend_v1|" in told
    watch.load(HouseholdSpend)
    watch.tick()
    (over,) = texts(slack)
    assert f"{NAME} online is sound again" in over


def test_only_the_newest_days_of_many_are_named(watch: Watch, slack: SlackServer) -> None:
    table = watch.store.values(HouseholdSpend)
    starts = table.ledger.partitions()["partition_start"].to_list()
    for start in starts:
        table.ledger.note_damage(start, table.delta_version(), "x" * 5000)
    assert table.ledger.damaged().height == len(starts)
    watch.tick()
    (told,) = texts(slack)
    assert len(told) < 3000
    assert "To do: " in told


def test_a_store_that_cannot_be_read_is_told_by_the_sensor_of_freshness_alone(watch: Watch, slack: SlackServer) -> None:
    options = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "x"}
    options |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "max_retries": "0", "retry_timeout": "1s"}
    watch.resources["offline_store"] = OfflineStoreResource(root="s3://bucket/prefix", storage_options=options)
    watch.tick()
    assert texts(slack) == []
    watch.sensor = freshness_to_slack(Watched([HouseholdSpend]))
    watch.cursor = None
    watch.tick()
    (told,) = texts(slack)
    assert f"{NAME} cannot be judged*: " in told
