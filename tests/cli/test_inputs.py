"""``--input name=value``: what it is read as, and that what is wrong with it is said."""

from datetime import UTC, datetime

import pytest

from feature_assets.cli.inputs import parse_inputs
from feature_assets.teams.growth.features import HouseholdSpend
from feature_store import Boolean, FeatureService, Float64, Int64, String, Timestamp, Vector, request, request_feature
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import InputError
from feature_store.plans.service_plan import ServicePlan

TYPES = {
    "amount": Float64,
    "pieces": Int64,
    "again": Boolean,
    "shop": String,
    "seen": Timestamp,
    "shown": Vector(2),
}


@pytest.fixture(scope="module")
def plan() -> ServicePlan:
    read = [request_feature(f"no_{name}", request(name).is_null(), description="Whether it came") for name in TYPES]
    return compile_plan(
        FeatureService("probe", 1, "growth", "A probe", [HouseholdSpend["spend_7d"], *read], inputs=TYPES)
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("amount=12.5", 12.5),
        ("amount=-0", -0.0),
        ("amount=", None),
        ("pieces=9007199254740993", 9007199254740993),
        ("again=true", True),
        ("again=false", False),
        ("shop=", ""),
        ("shop=A=B", "A=B"),
        ("seen=2018-01-02T06:00:00Z", datetime(2018, 1, 2, 6, tzinfo=UTC)),
        ("seen=", None),
        ("shown=0.5,2", [0.5, 2.0]),
    ],
)
def test_a_value_is_read_as_its_type(plan: ServicePlan, text: str, value: object) -> None:
    assert parse_inputs([text], plan, 1) == {text.partition("=")[0]: [value]}


def test_one_value_holds_for_all_entities_and_several_are_theirs(plan: ServicePlan) -> None:
    given = ["amount=1", "pieces=1", "pieces=2"]
    assert parse_inputs(given, plan, 2) == {"amount": [1.0, 1.0], "pieces": [1, 2]}
    assert parse_inputs([], plan, 2) is None


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["amount"], "--input 'amount' is not name=value: write --input amount=12.5"),
        (["price=1"], "'price' is no input of probe/v1; its inputs are amount, pieces, again, shop, seen, shown"),
        (["amount=much"], "--input 'amount=much': 'much' is no Float64"),
        (["pieces=1.5"], "--input 'pieces=1.5': '1.5' is no Int64"),
        (["again=yes"], "--input 'again=yes': 'yes' is no Boolean"),
        (["seen=2018-01-02T06:00:00"], "time zone"),
        (["seen=soon"], "--input 'seen=soon'"),
        (["shown=1,b"], "--input 'shown=1,b': '1,b' is no Vector[2]"),
        (["amount=1", "amount=2"], "2 values of input 'amount' for 3 entities: give 3, or one for all"),
    ],
)
def test_what_is_wrong_is_said(plan: ServicePlan, texts: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_inputs(texts, plan, 3)
    assert message in str(caught.value)
