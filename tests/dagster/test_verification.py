"""Every morning rows online are compared with what they were loaded from; what differs is told and loaded again."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
import redis

from feature_assets.generator.repairs import repair_sensor
from sensors.damage_alerts import damage_to_slack
from sensors.verification import EVERY_MORNING, verification_job, verification_schedule
from serving.stores.generations import Generation
from serving.stores.open_store import open_inspector
from serving.stores.redis.keys import pointer_keys, row_prefix
from tests.dagster.sample.declarations import HouseholdPrices, HouseholdSpend
from tests.dagster.slack_server import SlackServer
from tests.dagster.test_freshness_sensor import Watch

NAME, OTHER = HouseholdSpend.full_name, HouseholdPrices.full_name
VIEWS = [HouseholdSpend, HouseholdPrices]


@pytest.fixture
def slack():
    with SlackServer() as server:
        yield server


@pytest.fixture
def watch(instance, tmp_path: Path, slack: SlackServer, valkey: str) -> Watch:
    made = Watch(instance, tmp_path, slack.url, valkey, views=VIEWS, sensor=damage_to_slack)
    for view in VIEWS:
        made.make_fresh(view)
        made.load(view)
    return made


def verify(watch: Watch, **config: object) -> dg.ExecuteInProcessResult:
    resources = {name: watch.resources[name] for name in ("offline_store", "online_store")}
    job = verification_job(VIEWS, sample=1000)
    run_config = {"ops": {"verify_online": {"config": config}}} if config else {}
    return job.execute_in_process(
        run_config=run_config, instance=watch.instance, resources=resources, raise_on_error=False
    )


def problems_of(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = [event for event in result.all_node_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    return f"{data.description} {data.metadata['problems'].value}"


def served_row(watch: Watch, view: str) -> bytes:
    """The key of the row that is served of the one household."""
    with closing(open_inspector(watch.online)) as inspector:
        served: Generation = max(inspector.generations(view), key=lambda each: each.rank)
        return row_prefix(served.id) + next(inspector.entities(view, served)).to_list()[0]


def test_it_runs_daily_by_itself_with_a_sample_of_the_size_that_is_given() -> None:
    schedule = verification_schedule(VIEWS, sample=77)
    assert (schedule.cron_schedule, schedule.execution_timezone) == (EVERY_MORNING, "UTC")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert "about 77 rows of each generation" in (schedule.description or "")
    op = verification_job(VIEWS, sample=77).get_node_named("verify_online").definition
    assert op.config_schema.config_type.fields["sample"].default_value == 77
    at = datetime(2026, 1, 2, 5, 20, tzinfo=UTC)
    with dg.build_schedule_context(scheduled_execution_time=at) as context:
        assert len(schedule.evaluate_tick(context).run_requests or []) == 1


def test_what_is_sound_passes_and_says_how_many_rows_were_compared(watch: Watch) -> None:
    result = verify(watch)
    assert result.success
    (output,) = [event for event in result.all_node_events if event.is_handled_output or event.is_successful_output][:1]
    metadata = output.step_output_data.metadata
    assert (metadata["views"].value, metadata["rows"].value) == (2, 2)


def test_what_is_missing_is_told_with_its_view_listed_in_the_ledger_and_loaded_again(
    watch: Watch, slack: SlackServer
) -> None:
    with redis.Redis.from_url(watch.online) as client:
        client.delete(served_row(watch, NAME))
    result = verify(watch)
    assert not result.success
    assert "1 of 2 views online are not as they were loaded" in problems_of(result)
    assert f"- {NAME}: as of " in problems_of(result)
    assert "1 of 1 rows are missing" in problems_of(result)
    watch.tick()
    (told,) = [message["text"] for message in slack.messages]
    assert f"{NAME} online is damaged*: " in told
    sensor = repair_sensor("repairs", VIEWS)
    offline = {"offline_store": watch.resources["offline_store"]}
    with dg.build_sensor_context(instance=watch.instance, resources=offline) as context:
        (request,) = sensor.evaluate_tick(context).run_requests or []
    assert request.job_name == "repairs_online"
    watch.load(HouseholdSpend)
    assert verify(watch).success


def test_a_view_that_lost_its_list_hides_no_other_and_views_can_be_chosen(watch: Watch) -> None:
    with redis.Redis.from_url(watch.online) as client:
        client.set(pointer_keys(NAME)[0], b"")
        client.delete(served_row(watch, OTHER))
    result = verify(watch)
    assert f"- {NAME}: its record in the online store cannot be read" in problems_of(result)
    assert f"- {OTHER}: as of" in problems_of(result)
    watch.load(HouseholdPrices)
    assert verify(watch, views=[OTHER]).success
    assert not verify(watch, views=[NAME], sample=0).success


def test_all_rows_are_compared_where_no_sample_is_asked_for(watch: Watch) -> None:
    key = served_row(watch, NAME)
    with redis.Redis.from_url(watch.online) as client:
        client.set(key + b"stranger", client.get(key))
    assert verify(watch).success, "a sample looks at no entity that was never loaded"
    assert "1 rows are of entities that were never loaded" in problems_of(verify(watch, sample=0))
