"""Alerts: one per breach, one when it is over, to the owner's channel, none lost and none twice."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from feature_assets.generator import Model
from resources.slack import SlackResource
from sensors.freshness import freshness_to_slack
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

    def __init__(self, instance, root, url: str, token="xoxb-test"):
        self.instance = instance
        self.cursor: str | None = None
        self.resources = {
            "offline_store": project.resources(root)["offline_store"],
            "slack": SlackResource(token=token, base_url=url, ui_url="http://dagster.example:3000/"),
        }
        self.store = self.resources["offline_store"].store

    def tick(self) -> str:
        sensor = freshness_to_slack(VIEWS, [churn], [MODEL])
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor, resources=self.resources) as context:
            result = sensor(context)
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


def test_one_message_per_breach_and_one_when_it_is_over(instance, tmp_path, slack):
    watch = Watch(instance, tmp_path, slack.url)
    watch.tick()
    assert sorted(m["channel"] for m in slack.messages) == ["#growth-features", "#pricing-features"]
    (breach,) = [m["text"] for m in slack.messages if m["channel"] == "#growth-features"]
    assert "retail/household_spend/v1 is stale" in breach
    assert "Owner: growth" in breach
    assert "the SLA allows 27 h" in breach
    assert "service churn/v1 (growth), model churn_forest (growth)" in breach
    assert "<http://dagster.example:3000/assets/retail/household_spend/v1/_table|" in breach
    watch.tick()
    watch.tick()
    assert len(slack.messages) == 2
    watch.make_fresh(HouseholdSpend)
    watch.tick()
    watch.tick()
    assert len(slack.messages) == 3
    assert slack.messages[-1]["channel"] == "#growth-features"
    assert "retail/household_spend/v1 is fresh again" in slack.messages[-1]["text"]


def test_what_slack_did_not_take_is_posted_later_and_nothing_twice(instance, tmp_path, slack):
    watch = Watch(instance, tmp_path, slack.url)
    slack.broken = {"#growth-features"}
    assert "1 posted, 1 not posted" in watch.tick()
    slack.broken = set()
    watch.tick()
    assert [m["channel"] for m in slack.messages] == ["#pricing-features", "#growth-features"]


def test_a_recovery_that_slack_did_not_take_is_posted_later(instance, tmp_path, slack):
    watch = Watch(instance, tmp_path, slack.url)
    watch.tick()
    watch.make_fresh(HouseholdSpend)
    slack.broken = {"#growth-features"}
    watch.tick()
    slack.broken = set()
    watch.tick()
    assert len([m for m in slack.messages if "fresh again" in m["text"]]) == 1


def test_nobody_listens(instance, tmp_path):
    watch = Watch(instance, tmp_path, "http://127.0.0.1:9/api/")
    assert "0 posted, 2 not posted" in watch.tick()
    assert watch.cursor == "{}"


def test_without_a_token_nothing_is_taken_for_posted(instance, tmp_path, slack):
    watch = Watch(instance, tmp_path, slack.url, token="")
    assert "FEATURES_SLACK_TOKEN" in watch.tick()
    assert not slack.messages
    watch.resources["slack"] = SlackResource(token="xoxb-test", base_url=slack.url)
    watch.tick()
    assert len(slack.messages) == 2
