"""The Python client on a real server: values, statuses, T and errors."""

from __future__ import annotations

import math
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import redis

from feature_store.errors import FingerprintError, InputError
from feature_store.plans.service_plan import PlanFeature, PlanOutput, plan_path, write_plan
from feature_store.status import Status
from serving.client import FeatureClient
from serving.read.plan_folder import PlanFolder
from serving.read.requests import RequestError, UnknownServiceError
from serving.stores.errors import StoreUnavailableError
from serving.stores.redis.connection import connect
from serving.stores.store import READ_TIMEOUT
from tests.serving.services import (
    SPEND_FIELDS,
    keys_of,
    load_spend,
    load_stores,
    service_plan,
    with_features_of_spend,
)
from tests.stores.sample import DAY, HOUR

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    write_plan(tmp_path, service_plan())
    return tmp_path


@pytest.fixture
def client(plans: Path, valkey: str) -> FeatureClient:
    return FeatureClient(plans, valkey)


def instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def statuses(vectors: Any) -> dict[str, list[str]]:
    return {name: vectors.status_names(name) for name in vectors.status}


def test_present_empty_and_null_keys_have_their_values_and_statuses(client: FeatureClient, valkey: str) -> None:
    as_of = load_spend(valkey, [3, 10])
    stores_as_of = load_stores(valkey, [1])
    vectors = client.get_features("churn", keys_of([3, 10, 99, None], home=[1, 2, None, 1]))
    assert (vectors.service, vectors.version, len(vectors)) == ("churn", 1, 4)
    assert vectors.as_of == {
        "household_spend": as_of,
        "home__store_traffic": stores_as_of,
        "work__store_traffic": stores_as_of,
    }
    values = vectors.to_dict()
    days = (vectors.time - (as_of - 3 * DAY)) / DAY
    weekday = instant(vectors.time).weekday()
    assert values == {
        **keys_of([3, 10, 99, None], home=[1, 2, None, 1]),
        "household_spend__baskets": [3, 10, 0, 0],
        "household_spend__spend": [0.75, 2.5, 0.0, 0.0],
        "household_spend__mean": [0.375, None, None, None],
        "household_spend__loyal": [True, False, False, False],
        "household_spend__segment": ["s3é", None, "none", "none"],
        "household_spend__last_seen": [instant(as_of - 3 * DAY), None, None, None],
        "household_spend__first_seen": [instant(3 * HOUR), instant(10 * HOUR), instant(1_000_000), instant(1_000_000)],
        "household_spend__embedding": [[3.0, -3.0], None, [0.5, -0.5], [0.5, -0.5]],
        "home__store_traffic__visits": [100, 0, 0, 100],
        "work__store_traffic__visits": [0, 0, 0, 0],
        "days_since_last": [days, None, None, None],
        "first_hour": [3, 10, 0, 0],
        "weekday_now": [weekday] * 4,
    }
    household = ["PRESENT", "PRESENT", "EMPTY", "EMPTY"]
    wanted = {name: household for name in vectors.status if name.startswith("household_spend__")}
    assert statuses(vectors) == wanted | {
        "home__store_traffic__visits": ["PRESENT", "EMPTY", "EMPTY", "PRESENT"],
        "work__store_traffic__visits": ["EMPTY"] * 4,
        "days_since_last": household,
        "first_hour": household,
        "weekday_now": ["PRESENT"] * 4,
    }
    assert type(values["household_spend__baskets"][0]) is int


def test_nothing_loaded_is_not_computed_but_a_feature_of_t_alone_is_there(client: FeatureClient, valkey: str) -> None:
    load_stores(valkey, [1])
    vectors = client.get_features("churn", keys_of([3, None]))
    values = vectors.to_dict()
    for name, status in statuses(vectors).items():
        if name == "weekday_now":
            assert (status, values[name]) == (["PRESENT"] * 2, [instant(vectors.time).weekday()] * 2)
        elif "store_traffic" not in name:
            assert (status, values[name]) == (["NOT_COMPUTED"] * 2, [None] * 2), name
    assert vectors.as_of["household_spend"] is None


def test_a_feature_newer_than_the_snapshot_is_not_computed(client: FeatureClient, valkey: str) -> None:
    older = {name: field for name, field in SPEND_FIELDS.items() if name not in ("segment", "last_seen")}
    load_spend(valkey, [3], fields=older)
    vectors = client.get_features("churn", keys_of([3, 4]))
    assert vectors.status_names("household_spend__segment") == ["NOT_COMPUTED"] * 2
    assert vectors.status_names("days_since_last") == ["NOT_COMPUTED"] * 2
    assert vectors.status_names("household_spend__baskets") == ["PRESENT", "EMPTY"]
    assert vectors.to_dict()["household_spend__segment"] == [None, None]


def test_ttl_expires_strictly_after_it_has_passed(client: FeatureClient, valkey: str) -> None:
    as_of = load_spend(valkey, [3])
    edge = client.get_features("churn", keys_of([3, 4]), time=instant(as_of + 3 * DAY))
    assert edge.status_names("household_spend__baskets") == ["PRESENT", "EMPTY"]
    late = client.get_features("churn", keys_of([3, 4]), time=instant(as_of + 3 * DAY + 1))
    assert late.status_names("household_spend__baskets") == ["EXPIRED", "EXPIRED"]
    assert late.status_names("days_since_last") == ["EXPIRED", "EXPIRED"]
    assert late.to_dict()["household_spend__baskets"] == [None, None]
    assert late.to_dict()["days_since_last"] == [None, None]
    assert late.as_of["household_spend"] == as_of


def test_available_at_is_strict_and_t_is_the_one_given(client: FeatureClient, valkey: str) -> None:
    as_of = load_spend(valkey, [3])
    at = client.get_features("churn", keys_of([3]), time=instant(as_of + HOUR))
    after = client.get_features("churn", keys_of([3]), time=instant(as_of + HOUR + 1).astimezone())
    assert at.status_names("household_spend__baskets") == ["NOT_COMPUTED"]
    assert after.status_names("household_spend__baskets") == ["PRESENT"]
    assert after.time == as_of + HOUR + 1
    assert after.to_dict()["days_since_last"] == [3 + (HOUR + 1) / DAY]


def test_values_of_another_definition_are_an_error_not_a_silent_mix(plans: Path, valkey: str) -> None:
    load_spend(valkey, [3])
    changed = tuple(
        replace(feature, fingerprint="new") if feature.name == "mean" else feature
        for feature in service_plan().views[0].features
    )
    write_plan(plans, with_features_of_spend(service_plan(), changed))
    client = FeatureClient(plans, valkey)
    with pytest.raises(FingerprintError, match=r"retail/household_spend/v1\.mean.*fp-mean.*new.*features apply"):
        client.get_features("churn", keys_of([3]))
    some = client.get_features("churn", keys_of([3]), features=["household_spend__baskets"])
    assert some.to_dict()["household_spend__baskets"] == [3]


def test_an_expired_snapshot_is_expired_whatever_it_holds(plans: Path, valkey: str) -> None:
    as_of = load_spend(valkey, [3])
    view = service_plan().views[0]
    changed = tuple(
        replace(feature, fingerprint="new") if feature.name == "mean" else feature for feature in view.features
    )
    added = PlanFeature("added", "Int64", "fp-added", 0)
    plan = with_features_of_spend(service_plan(), (*changed, added))
    outputs = (*plan.outputs, PlanOutput("household_spend__added", "Int64", 0, "added"))
    write_plan(plans, replace(plan, outputs=outputs))
    late = FeatureClient(plans, valkey).get_features("churn", keys_of([3]), time=instant(as_of + 3 * DAY + 1))
    assert late.status_names("household_spend__mean") == ["EXPIRED"]
    assert late.status_names("household_spend__added") == ["EXPIRED"]


def test_a_renamed_feature_is_read_from_its_former_column(plans: Path, valkey: str) -> None:
    load_spend(valkey, [3])
    plan = service_plan()
    renamed = tuple(replace(f, name="visits") if f.name == "baskets" else f for f in plan.views[0].features)
    outputs = tuple(replace(o, feature="visits") if o.feature == "baskets" else o for o in plan.outputs)
    write_plan(plans, replace(with_features_of_spend(plan, renamed), outputs=outputs))
    answer = FeatureClient(plans, valkey).get_features("churn", keys_of([3, 4]))
    assert answer.to_dict()["household_spend__baskets"] == [3, 0]
    assert answer.status_names("household_spend__baskets") == ["PRESENT", "EMPTY"]


def test_one_round_trip_for_all_views(client: FeatureClient, valkey: str) -> None:
    load_spend(valkey, [3])
    load_stores(valkey, [1])
    client.get_features("churn", keys_of([3]))
    with redis.Redis.from_url(valkey) as observer:
        observer.config_resetstat()
        client.get_features("churn", keys_of([3, 4, 5]))
        commands = {name: stat["calls"] for name, stat in observer.info("commandstats").items()}
    assert commands.get("cmdstat_mget") == 1
    assert "cmdstat_get" not in commands


def with_output(**changes: Any) -> str:
    plan = service_plan(service="broken")
    return replace(plan, outputs=(replace(plan.outputs[0], **changes), *plan.outputs[1:])).to_json()


def test_features_subset_keeps_the_order_asked_for_and_reads_no_other_view(client: FeatureClient, valkey: str) -> None:
    load_spend(valkey, [3])
    vectors = client.get_features(
        "churn/v1", keys_of([3]), features=["household_spend__spend", "household_spend__baskets"]
    )
    assert list(vectors.columns) == ["household_spend__spend", "household_spend__baskets"]
    assert list(vectors.as_of) == ["household_spend"]


def test_the_newest_version_is_served_when_none_is_named_and_new_plans_are_seen(plans: Path, valkey: str) -> None:
    write_plan(plans, service_plan(10))
    write_plan(plans, service_plan(2))
    client = FeatureClient(plans, valkey)
    assert client.get_features("churn", keys_of([3])).version == 10
    assert client.get_features("churn/v2", keys_of([3])).version == 2


BROKEN_PLANS = {
    "half a file": '{"format": 1, "serv',
    "no object": "[]",
    "no fields": '{"format": 1}',
    "another format": '{"format": 99}',
    "a view that is not there": with_output(view=9),
    "a feature that is not there": with_output(feature="nope"),
    "a type that is none": with_output(dtype="Int65"),
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("content", BROKEN_PLANS.values(), ids=BROKEN_PLANS)
def test_a_broken_plan_file_concerns_its_own_service_alone(plans: Path, valkey: str, content: str | bytes) -> None:
    load_spend(valkey, [3])
    broken = plans / "broken.v1.json"
    broken.write_bytes(content if isinstance(content, bytes) else content.encode())
    client = FeatureClient(plans, valkey)
    assert client.get_features("churn", keys_of([3])).to_dict()["household_spend__baskets"] == [3]
    with pytest.raises(UnknownServiceError, match=r"no feature service 'broken'.*broken\.v1\.json cannot be used"):
        client.get_features("broken", keys_of([3]))


def test_the_last_good_version_of_a_plan_stays_in_use(plans: Path) -> None:
    folder = PlanFolder(plans)
    assert folder.refresh()
    good = folder.find("churn")
    path = plan_path(plans, "churn", 1)
    for content in ("[]", '{"format": 1, "serv'):
        path.write_text(content)
        assert folder.refresh()
        assert not folder.refresh(), "it is looked at once"
        assert folder.find("churn") is good
        assert "churn.v1.json cannot be used" in folder.problems["churn.v1.json"]
    write_plan(plans, replace(service_plan(), owner="stores"))
    assert folder.refresh()
    assert (folder.find("churn").plan.owner, folder.problems) == ("stores", {})
    path.unlink()
    assert folder.refresh()
    assert folder.plans == []


def test_plans_that_did_not_change_are_not_read_again(plans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in range(2, 6):
        write_plan(plans, service_plan(version))
    folder = PlanFolder(plans)
    folder.refresh()
    before = {version: folder.find(f"churn/v{version}", ("weekday_now",)) for version in range(1, 6)}
    write_plan(plans, replace(service_plan(3), owner="stores"))
    write_plan(plans, service_plan(7))
    read: list[str] = []
    bytes_of = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or bytes_of(path))
    assert folder.refresh()
    assert sorted(read) == ["churn.v3.json", "churn.v7.json", "current.json"]
    after = {version: folder.find(f"churn/v{version}", ("weekday_now",)) for version in range(1, 6)}
    assert {version for version in before if before[version] is not after[version]} == {3}
    assert folder.find("churn").plan.version == 7


def test_plans_stay_in_use_while_their_folder_is_away(plans: Path) -> None:
    folder = PlanFolder(plans)
    folder.refresh()
    plans.rename(plans.with_name("elsewhere"))
    assert not folder.refresh()
    assert folder.find("churn").plan.version == 1


def test_other_forms_of_the_answer(client: FeatureClient, valkey: str) -> None:
    as_of = load_spend(valkey, [3, 10])
    load_stores(valkey, [1])
    vectors = client.get_features("churn", keys_of([3, 10, 99]))
    rows = vectors.to_dicts()
    assert [row["household_id"] for row in rows] == [3, 10, 99]
    assert rows[1]["household_spend__embedding"] is None
    with pytest.raises(InputError, match="household_spend__segment hold strings"):
        vectors.to_numpy()
    numbers = client.get_features(
        "churn",
        keys_of([3, 10, 99]),
        features=[
            "household_spend__baskets",
            "household_spend__mean",
            "household_spend__embedding",
            "household_spend__loyal",
            "household_spend__last_seen",
        ],
    ).to_numpy()
    assert numbers.dtype == np.float64
    np.testing.assert_array_equal(
        numbers,
        [
            [3, 0.375, 3, -3, 1, as_of - 3 * DAY],
            [10, math.nan, math.nan, math.nan, 0, math.nan],
            [0, math.nan, 0.5, -0.5, 0, math.nan],
        ],
    )
    assert client.get_features("churn", keys_of([3]), features=[]).to_numpy().shape == (1, 0)
    table = vectors.to_arrow()
    assert table.schema.field("household_spend__last_seen").type == pa.timestamp("us", "UTC")
    assert table.schema.field("household_spend__embedding").type == pa.list_(pa.float32(), 2)
    assert table.schema.field("household_spend__spend").type == pa.float32()
    features = vectors.to_dict()
    assert table.select(list(features)).to_pydict() == features
    assert table["household_spend__baskets__status"].to_pylist() == [Status.PRESENT, Status.PRESENT, Status.EMPTY]
    assert table.schema.metadata[b"service"] == b"churn"
    frame = vectors.to_polars()
    assert frame.schema["household_spend__last_seen"] == pl.Datetime("us", "UTC")
    assert frame.schema["household_spend__embedding"] == pl.Array(pl.Float32, 2)
    assert frame["household_spend__segment"].to_list() == ["s3é", None, "none"]


def test_an_instant_beyond_the_year_9999_is_no_datetime_but_a_number(client: FeatureClient, valkey: str) -> None:
    load_spend(valkey, [-1 - 10**7])
    vectors = client.get_features("churn", keys_of([-1 - 10**7]), features=["household_spend__last_seen"])
    assert vectors.to_numpy()[0, 0] > 10**17
    with pytest.raises(InputError, match=r"household_spend__last_seen: .* outside the years 1 to 9999.*to_arrow"):
        vectors.to_dict()


def test_no_entities_at_all(client: FeatureClient, valkey: str) -> None:
    load_spend(valkey, [3])
    for features in (None, ["household_spend__baskets"]):
        vectors = client.get_features("churn", keys_of([]), features=features)
        assert len(vectors) == 0
        assert vectors.to_dicts() == []
        assert vectors.to_arrow().num_rows == 0


def test_only_null_keys(client: FeatureClient, valkey: str) -> None:
    load_spend(valkey, [3])
    vectors = client.get_features("churn", keys_of([None, None]))
    assert vectors.status_names("household_spend__baskets") == ["EMPTY", "EMPTY"]
    assert vectors.to_arrow().schema.field("household_id").type == pa.int64()


@pytest.mark.parametrize(
    "households",
    [
        np.array([4, 3], np.int32),
        np.array([4, 3], np.uint64),
        np.array([4, 3], object),
        [np.int64(4), 3],
        (4, 3),
        range(4, 2, -1),
        pl.Series([4, 3]),
        pa.array([4, 3]),
        pa.chunked_array([[4], [3]]),
    ],
    ids=lambda given: type(given).__name__,
)
@pytest.mark.parametrize(
    "chains", [np.array(["a", "b"]), [np.str_("a"), "b"], pa.array(["a", "b"]), pl.Series(["a", "b"])]
)
def test_keys_may_be_any_list_or_array(client: FeatureClient, valkey: str, households: Any, chains: Any) -> None:
    load_spend(valkey, [3, 4])
    keys = keys_of([3, 4]) | {"household_id": households, "home_store": [np.int64(1), None], "chain": chains}
    values = client.get_features("churn", keys).to_dict()
    assert values["household_spend__baskets"] == [4, 3]
    assert (values["household_id"], values["chain"]) == ([4, 3], ["a", "b"])
    assert {type(each) for each in values["household_id"]} == {int}
    assert {type(each) for each in values["chain"]} == {str}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"household_id": [1, "2"]}, "keys.household_id[1]", "'2' is of type str, the key is Int64"),
        ({"household_id": [1, 2.0]}, "keys.household_id[1]", "float"),
        ({"household_id": [True, 2]}, "keys.household_id[0]", "bool"),
        ({"household_id": [1, 2**63]}, "keys.household_id[1]", "64 bits"),
        ({"household_id": [-(2**63) - 1, 2]}, "keys.household_id[0]", "64 bits"),
        ({"household_id": 7}, "keys.household_id", "not a list"),
        ({"household_id": {1: 1, 2: 2}}, "keys.household_id", "not a list"),
        ({"household_id": {1, 2}}, "keys.household_id", "not a list"),
        ({"household_id": np.array(1)}, "keys.household_id", "not a list"),
        ({"household_id": np.array([[1, 2]])}, "keys.household_id", "not a list"),
        ({"household_id": [1, 2e30]}, "keys.household_id[1]", "64 bits"),
        ({"chain": "north"}, "keys.chain", "not a list"),
        ({"chain": ["a", 5]}, "keys.chain[1]", "String"),
        ({"chain": ["a", "\ud800"]}, "keys.chain[1]", "Unicode"),
        ({"household_id": [1]}, "keys", "unequal lengths"),
        ({"customer": [1, 2]}, "keys.customer", "not a key of churn/v1; its keys are household_id, chain"),
    ],
)
def test_wrong_keys_are_named(client: FeatureClient, change: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        client.get_features("churn", keys_of([1, 2]) | change)
    assert caught.value.field == field


def test_other_wrong_requests_are_named(client: FeatureClient, tmp_path: Path, valkey: str) -> None:
    with pytest.raises(UnknownServiceError, match="no feature service 'chrun'; there are churn/v1"):
        client.get_features("chrun", keys_of([1]))
    with pytest.raises(UnknownServiceError, match="churn/v9"):
        client.get_features("churn/v9", keys_of([1]))
    with pytest.raises(UnknownServiceError, match="features apply"):
        FeatureClient(tmp_path / "none", valkey).get_features("churn", {})
    keys = keys_of([1])
    del keys["chain"]
    with pytest.raises(RequestError, match=r"keys\.chain: missing"):
        client.get_features("churn", keys)
    with pytest.raises(RequestError, match=r"features\[1\]: 'nope' is not in churn/v1"):
        client.get_features("churn", keys_of([1]), features=["weekday_now", "nope"])
    with pytest.raises(RequestError, match="named twice"):
        client.get_features("churn", keys_of([1]), features=["weekday_now", "weekday_now"])
    with pytest.raises(RequestError, match="no time zone"):
        client.get_features("churn", keys_of([1]), time=datetime(2026, 1, 1))
    for wrong in ("2026-01-01", 0):
        with pytest.raises(RequestError, match=r"time: .* is not a datetime"):
            client.get_features("churn", keys_of([1]), time=wrong)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="features: 'weekday_now' is not a list"):
        client.get_features("churn", keys_of([1]), features="weekday_now")
    with pytest.raises(RequestError, match="keys"):
        client.get_features("churn", [1])  # type: ignore[arg-type]


class Interrupted(BaseException):
    """As Ctrl-C, a soft time limit or a signal handler of the caller raises."""


def baskets_of(client: FeatureClient, household: int) -> int:
    vectors = client.get_features("churn", keys_of([household]), features=["household_spend__baskets"])
    return vectors.to_dict()["household_spend__baskets"][0]


def interrupt(*_: object) -> None:
    raise Interrupted


def test_a_call_interrupted_between_sending_and_reading_leaves_no_reply_for_the_next(
    client: FeatureClient, valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_spend(valkey, list(range(1, 10)))
    assert baskets_of(client, 1) == 1
    for household in (5, 6):
        with monkeypatch.context() as patched:
            patched.setattr(redis.Connection, "read_response", interrupt)
            with pytest.raises(Interrupted):
                baskets_of(client, household)
        assert [baskets_of(client, each) for each in (7, 8, 9)] == [7, 8, 9]


@pytest.mark.parametrize("outer", [False, True])
def test_calls_interrupted_by_signals_leave_no_reply_for_the_next(
    client: FeatureClient, valkey: str, outer: bool
) -> None:
    load_spend(valkey, list(range(1, 1000)))

    def ask_on_after_interruptions() -> int:
        rng, interrupted = random.Random(1), 0
        for household in range(1, 999):
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.0001, 0.0012))
                baskets_of(client, household)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupted:
                interrupted += 1
            assert baskets_of(client, household + 1) == household + 1
        return interrupted

    former = signal.signal(signal.SIGALRM, interrupt)
    try:
        baskets_of(client, 1)
        assert (within_handler(ask_on_after_interruptions) if outer else ask_on_after_interruptions()) > 50
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def within_handler(work: Callable[[], int]) -> int:
    """Call while another exception is being handled, as callers do that fall back to this store."""
    try:
        raise KeyError
    except KeyError:
        return work()


def test_a_store_that_stalls_is_waited_for_once(plans: Path, valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.stores.redis.read.reader.READ_TIMEOUT", 0.3)
    client = FeatureClient(plans, valkey)
    load_spend(valkey, [1])
    assert baskets_of(client, 1) == 1
    with redis.Redis.from_url(valkey) as observer:
        before = observer.info("stats")["total_connections_received"]
        observer.client_pause(2000, all=True)
        with pytest.raises(StoreUnavailableError, match="Timeout reading"):
            baskets_of(client, 1)
        observer.client_unpause()
        assert observer.info("stats")["total_connections_received"] == before, "it did not connect and ask again"
    assert baskets_of(client, 1) == 1


def test_a_connection_is_kept_unless_something_went_wrong_on_it(valkey: str) -> None:
    with redis.Redis.from_url(valkey) as observer, connect(valkey, READ_TIMEOUT) as client:
        client.ping()
        before = observer.info("stats")["total_connections_received"]
        within_handler(lambda: int(client.ping()))
        with pytest.raises(redis.ResponseError):
            client.execute_command("NOSUCH")
        client.ping()
        assert observer.info("stats")["total_connections_received"] - before == 1


def test_a_store_that_is_down_is_an_error(plans: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r"redis://127\.0\.0\.1:1/0"):
        FeatureClient(plans, "redis://127.0.0.1:1/0").get_features("churn", keys_of([1]))


def test_an_empty_value_may_be_declared_for_every_type(plans: Path, valkey: str) -> None:
    defaults: dict[str, Any] = {
        "baskets": -1,
        "spend": 1.5,
        "mean": 2.5,
        "loyal": True,
        "segment": "new",
        "last_seen": 5,
        "first_seen": None,
        "embedding": None,
    }
    features = tuple(
        PlanFeature(name, dtype.name, f"fp-{name}", defaults[name]) for name, (dtype, _) in SPEND_FIELDS.items()
    )
    write_plan(plans, with_features_of_spend(service_plan(), features))
    load_spend(valkey, [1])
    (row,) = FeatureClient(plans, valkey).get_features("churn", keys_of([2])).to_dicts()
    wanted = defaults | {"last_seen": instant(5)}
    assert {name: row[f"household_spend__{name}"] for name in defaults} == wanted


def test_readers_of_deprecated_features_are_told_once(
    plans: Path, valkey: str, caplog: pytest.LogCaptureFixture
) -> None:
    load_spend(valkey, [3])
    plan = service_plan()
    first, *others = plan.outputs
    write_plan(plans, replace(plan, outputs=(replace(first, deprecated="2027-01-31, use v2"), *others)))
    with FeatureClient(plans, valkey) as client:
        for _ in range(2):
            client.get_features("churn", keys_of([3]))
    assert [record.message for record in caplog.records] == [f"churn/v1: {first.name}: deprecated, 2027-01-31, use v2"]
