"""Alerts: one per breach, one when it is over, to the owner's channel, none lost and none twice."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

import sensors.slack_sensor
from feature_assets.generator import Model
from feature_assets.project.recorded import recorded_definitions
from feature_store.catalog.documents import definitions_of
from feature_store.catalog.store import Catalog
from feature_store.quality.freshness import span_text
from resources.online import OnlineStoreResource
from resources.settings import Settings
from resources.slack import SlackResource
from sensors.freshness import freshness_to_slack
from sensors.messages import LONGEST, Audience
from sensors.slack_sensor import Watched
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from tests.dagster.sample import project
from tests.dagster.sample.declarations import HouseholdPrices, HouseholdSpend, churn
from tests.dagster.slack_server import SlackServer

VIEWS = (HouseholdSpend, HouseholdPrices)
MODEL = Model("churn_forest", churn, "growth", "Predicts churn")


@pytest.fixture
def slack():
    with SlackServer() as server:
        yield server


class Watch:
    """The sensor, tick by tick; its cursor is all that is kept between ticks."""

    def __init__(
        self,
        instance,
        root,
        url: str,
        valkey: str,
        token="xoxb-test",
        views=VIEWS,
        sensor=freshness_to_slack,
        recorded=tuple,
    ):
        self.instance, self.online = instance, valkey
        self.sensor = sensor(Watched(views, [churn], [MODEL], recorded=recorded))
        self.cursor: str | None = None
        self.resources = {
            "offline_store": project.resources(root)["offline_store"],
            "online_store": OnlineStoreResource(url=valkey),
            "slack": SlackResource(token=token, base_url=url, ui_url="http://dagster.example:3000/"),
        }
        self.store = self.resources["offline_store"].store

    def tick(self) -> str:
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor, resources=self.resources) as context:
            result = self.sensor(context)
            self.cursor = context.cursor
        return result.skip_message

    def make_fresh(self, view) -> None:
        """Land the partitions that may be the newest available one, also just after midnight."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        starts = [today - timedelta(days=2), today - timedelta(days=1)]
        columns = {f.name: pl.Series([None, None], dtype=pl.Null) for f in view.stored_features}
        frame = pl.DataFrame({"partition_start": starts, "household_id": [1, 1], **columns})
        frame = frame.with_columns(pl.col("partition_start").cast(pl.Datetime("us", "UTC"))).cast(SCHEMAS[view.name])
        self.store.values(view).write(frame, starts[0], today, run_id="test")

    def load(self, view) -> None:
        with closing(open_loader(self.online)) as writer:
            sync_view(self.store, view, writer, datetime.now(UTC))


SCHEMAS = {
    "household_spend": {
        "spend_7d": pl.Float32,
        "spend_3d": pl.Float64,
        "lines": pl.Int64,
        "baskets_7d": pl.Int64,
        "last_purchase": pl.Datetime("us", "UTC"),
        "spend_trend": pl.Float64,
        "is_big": pl.Boolean,
    },
    "household_prices": {"dearest_7d": pl.Float64},
}


def test_one_message_per_breach_and_one_when_it_is_over(instance, tmp_path, slack, valkey):
    watch = Watch(instance, tmp_path, slack.url, valkey)
    watch.tick()
    assert sorted(m["channel"] for m in slack.messages) == ["#growth-features", "#pricing-features"]
    (breach,) = [m["text"] for m in slack.messages if m["channel"] == "#growth-features"]
    assert "retail/household_spend/v1 is stale" in breach
    assert "Owner: growth" in breach
    first_due = HouseholdSpend.start + timedelta(days=1, hours=27)
    assert f"no values are available, the first were due {span_text(datetime.now(UTC) - first_due)} ago" in breach
    assert "the SLA allows 27 h" in breach
    assert "service churn/v1 (growth), model churn_forest (growth)" in breach
    assert "<http://dagster.example:3000/assets/retail/household_spend/v1/_table|" in breach
    watch.tick()
    watch.tick()
    assert len(slack.messages) == 2
    watch.make_fresh(HouseholdSpend)
    watch.load(HouseholdSpend)
    watch.tick()
    watch.tick()
    assert len(slack.messages) == 3
    assert slack.messages[-1]["channel"] == "#growth-features"
    assert "retail/household_spend/v1 is fresh again" in slack.messages[-1]["text"]


def test_what_slack_did_not_take_is_posted_later_and_nothing_twice(instance, tmp_path, slack, valkey):
    watch = Watch(instance, tmp_path, slack.url, valkey)
    slack.broken = {"#growth-features"}
    assert "1 posted, 1 not posted" in watch.tick()
    slack.broken = set()
    watch.tick()
    assert [m["channel"] for m in slack.messages] == ["#pricing-features", "#growth-features"]


def test_a_recovery_that_slack_did_not_take_is_posted_later(instance, tmp_path, slack, valkey):
    watch = Watch(instance, tmp_path, slack.url, valkey)
    watch.tick()
    watch.make_fresh(HouseholdSpend)
    slack.broken = {"#growth-features"}
    watch.tick()
    slack.broken = set()
    watch.tick()
    assert len([m for m in slack.messages if "fresh again" in m["text"]]) == 1


def test_nobody_listens(instance, tmp_path, valkey):
    watch = Watch(instance, tmp_path, "http://127.0.0.1:9/api/", valkey)
    assert "0 posted, 2 not posted" in watch.tick()
    assert json.loads(watch.cursor) == {"open": {}, "next": ""}


def test_without_a_token_nothing_is_taken_for_posted(instance, tmp_path, slack, valkey):
    watch = Watch(instance, tmp_path, slack.url, valkey, token="")
    assert "FEATURES_SLACK_TOKEN" in watch.tick()
    assert not slack.messages
    watch.resources["slack"] = SlackResource(token="xoxb-test", base_url=slack.url)
    watch.tick()
    assert len(slack.messages) == 2


def texts(slack, since: int = 0) -> list[str]:
    return [message["text"].splitlines()[0] for message in slack.messages[since:]]


def test_what_landed_and_is_not_served_is_a_breach_of_its_own(instance, tmp_path, slack, valkey):
    watch = Watch(instance, tmp_path, slack.url, valkey, views=[HouseholdSpend])
    watch.make_fresh(HouseholdSpend)
    watch.tick()
    watch.tick()
    (breach,) = texts(slack)
    assert "retail/household_spend/v1 landed, but is not served*: values as of" in breach
    assert "online, no values are available" in breach
    assert "/assets/online/retail/household_spend_v1|" in slack.messages[0]["text"]
    watch.load(HouseholdSpend)
    watch.tick()
    watch.tick()
    (over,) = texts(slack, since=1)
    assert "retail/household_spend/v1 is served again" in over


def test_what_is_missing_in_both_stores_is_told_once(instance, tmp_path, slack, valkey):
    watch = Watch(instance, tmp_path, slack.url, valkey, views=[HouseholdSpend])
    watch.tick()
    (breach,) = texts(slack)
    assert "is stale" in breach


def test_readers_in_other_repositories_are_known_from_the_catalog(instance, tmp_path, slack, valkey):
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    settings = Settings.from_environment({"FEATURES_CATALOG": url, "FEATURES_STATE": str(tmp_path)})
    abroad = replace(churn, name="abroad")
    with closing(Catalog(url)) as catalog:
        catalog.apply(
            {"growth": definitions_of([], [HouseholdSpend], [churn, abroad])}, by="somebody", now=datetime.now(UTC)
        )
    recorded = partial(recorded_definitions, settings)
    watch = Watch(instance, tmp_path / "offline", slack.url, valkey, views=[HouseholdSpend], recorded=recorded)
    watch.tick()
    (breach,) = slack.messages
    assert (
        "Read by: service churn/v1 (growth), model churn_forest (growth), service abroad/v1 (growth)" in breach["text"]
    )


def test_a_catalog_that_cannot_be_read_keeps_no_alert_back(instance, tmp_path, slack, valkey):
    (tmp_path / "catalog.db").write_bytes(b"garbage" * 1000)
    settings = Settings.from_environment(
        {"FEATURES_CATALOG": f"sqlite:///{tmp_path / 'catalog.db'}", "FEATURES_STATE": str(tmp_path)}
    )
    recorded = partial(recorded_definitions, settings)
    watch = Watch(instance, tmp_path / "offline", slack.url, valkey, views=[HouseholdSpend], recorded=recorded)
    watch.tick()
    (breach,) = slack.messages
    assert "Read by: service churn/v1 (growth), model churn_forest (growth)\n" in breach["text"]


def test_a_view_that_cannot_be_read_is_told_and_hides_no_other(instance, tmp_path, slack, valkey):
    watch = Watch(instance, tmp_path, slack.url, valkey)
    watch.make_fresh(HouseholdSpend)
    watch.load(HouseholdSpend)
    watch.tick()
    assert [text for text in texts(slack) if "spend" in text] == []
    log = Path(watch.store.values(HouseholdSpend).uri) / "_delta_log"
    kept = {entry: entry.read_bytes() for entry in log.iterdir()}
    for entry in kept:
        entry.write_text("broken")
    before = len(slack.messages)
    watch.tick()
    watch.tick()
    (unjudged,) = texts(slack, before)
    assert "retail/household_spend/v1 cannot be judged*: " in unjudged
    for entry, content in kept.items():
        entry.write_bytes(content)
    watch.tick()
    (over,) = texts(slack, before + 1)
    assert "can be judged again" in over


def test_staleness_is_told_while_the_online_store_is_down(instance, tmp_path, slack, valkey):
    watch = Watch(instance, tmp_path, slack.url, "redis://127.0.0.1:1/0")
    watch.tick()
    assert sorted(text.split("*: ")[0].split(" ", 1)[1] for text in texts(slack)) == [
        "*retail/household_prices/v1 cannot be judged",
        "*retail/household_prices/v1 is stale",
        "*retail/household_spend/v1 cannot be judged",
        "*retail/household_spend/v1 is stale",
    ]


def test_a_look_ends_in_time_and_the_next_one_goes_on(instance, tmp_path, slack, valkey, monkeypatch):
    """As where Slack takes its time: Dagster ends a sensor after a minute, and forgets what it has posted."""
    monkeypatch.setattr(sensors.slack_sensor, "BUDGET", 0.05)
    slack.seconds = 0.1
    watch = Watch(instance, tmp_path, slack.url, valkey)
    watch.tick()
    assert [message["channel"] for message in slack.messages] == ["#growth-features"]
    assert json.loads(watch.cursor)["next"] == "retail/household_prices/v1"
    watch.tick()
    assert [message["channel"] for message in slack.messages] == ["#growth-features", "#pricing-features"]
    monkeypatch.undo()
    watch.tick()
    assert len(slack.messages) == 2


def test_messages_are_as_short_as_slack_takes_them():
    many = [replace(churn, name=f"service_{number}" + "x" * 50) for number in range(200)]
    audience = Audience(many, (), "http://dagster.example")
    assert len(audience.not_judged(HouseholdSpend, "x" * 10_000)) < LONGEST
    assert "and 195 more" in audience.not_judged(HouseholdSpend, "x")
