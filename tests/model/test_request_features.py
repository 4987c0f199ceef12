"""Services that compute from inputs: their outputs, the plan they compile to, fingerprints, and what is refused."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest

from feature_store import (
    Entity,
    FeatureService,
    Float32,
    Float64,
    Int64,
    RequestInput,
    String,
    Timestamp,
    Vector,
    col,
    count,
    days_since,
    derive,
    last,
    lit,
    ratio,
    request,
    request_feature,
    sum_,
)
from feature_store.dtypes import Array
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.plans.service_fingerprints import output_fingerprints, service_fingerprint
from feature_store.plans.service_plan import PlanInput, PlanOutput, ServicePlan
from tests.model.declare import EVENT_COLUMNS, Cases, check, demographics, event_source, purchases, service, view_of

AMOUNT = {"amount": Float64}
SHOP = Entity("shop", keys={"shop_id": String}, description="A shop")


def shops() -> Any:
    source = event_source(name="visits", asset="raw/visits", columns={**EVENT_COLUMNS, "shop_id": String})
    return view_of({"visits": count(over="7d", description="Visits")}, entity=SHOP, source=source, name="shop")


def offer(**options: Any) -> FeatureService:
    view, shop = purchases(), shops()
    share = ratio(request("amount"), view.spend, description="Share of the spend")
    return service(
        view["baskets"],
        request_feature("share", share),
        request_feature("crowd", shop.visits.as_role("near", shop_id="near_id") + 1, description="Visitors and me"),
        request_feature("more", request("amount") * 2, description="Twice", dtype=Float32),
        **{"inputs": AMOUNT, **options},
    )


def test_outputs_stand_in_the_services_order_with_their_types_and_logic() -> None:
    made = offer()
    assert [(output.name, output.dtype) for output in made.outputs] == [
        ("spend__baskets", Int64),
        ("share", Float64),
        ("crowd", Int64),
        ("more", Float32),
    ]
    assert [getattr(output, "logic", None) for output in made.outputs[1:]] == [
        "amount / spend.spend",
        "near__shop.visits + 1",
        "amount * 2",
    ]
    assert made.keys == {"household_id": Int64, "near_id": String}
    assert [view.name for view in made.views] == ["spend", "shop"]
    assert [read.full_name for read in made.reads] == [
        "retail/spend/v1.baskets",
        "retail/spend/v1.spend",
        "retail/shop/v1.visits",
    ]


def test_a_plan_holds_what_is_read_and_comes_back_from_json() -> None:
    plan = compile_plan(offer(inputs={**AMOUNT}))
    assert [[feature.name for feature in view.features] for view in plan.views] == [["spend", "baskets"], ["visits"]]
    assert [read.name for read in plan.reads] == ["spend__baskets", "spend.spend", "near__shop.visits"]
    assert plan.reads[1] == PlanOutput("spend.spend", "Float64", 0, "spend")
    assert plan.needed_inputs == (PlanInput("amount", "Float64"),)
    assert replace(plan, outputs=plan.outputs[:1]).needed_inputs == ()
    assert ServicePlan.from_json(plan.to_json()) == plan


def test_a_plan_of_before_there_were_inputs_is_read() -> None:
    plan = compile_plan(service(purchases().all()))
    record = json.loads(plan.to_json())
    del record["inputs"], record["digest"]
    assert ServicePlan.from_json(json.dumps(record)) == plan


def test_defaults_of_every_type_come_back_from_json() -> None:
    inputs = {
        "whole": RequestInput(Int64, default=3),
        "place": RequestInput(Vector(2), default=[0.5, -0.0]),
        "text": RequestInput(String, default=""),
    }
    features = [
        request_feature(f"read_{name}", request(name).is_null(), description="Whether it came") for name in inputs
    ]
    plan = compile_plan(service(purchases()["spend"], *features, inputs=inputs))
    assert [each.default for each in plan.inputs] == [3, [0.5, 0.0], ""]
    assert ServicePlan.from_json(plan.to_json()) == plan


def test_on_read_features_and_single_selections_are_read_too() -> None:
    view = view_of(
        {
            "at": last(col("purchased_at"), over="90d", description="Last"),
            "days": days_since(col("at"), description="D"),
        }
    )
    late = request_feature("late", lit(view["days"]) > request("amount"), description="Whether it is late")
    plan = compile_plan(service(late, inputs=AMOUNT))
    assert plan.reads == (PlanOutput("spend.days", "Float64", 0, "at", "days_since"),)


def test_a_services_fingerprint_is_that_of_its_outputs_and_inputs() -> None:
    def mark(*features: Any, **inputs: Any) -> str:
        return service_fingerprint(compile_plan(service(*features, inputs=inputs)))

    view, other = purchases(), purchases(version=2)
    twice = request_feature("x", request("a") * 2, description="Twice")
    first = mark(view["spend"], twice, a=Float64)
    assert first == mark(view["spend"], request_feature("x", request("a") * 2, description="Other words"), a=Float64)
    assert first == mark(view["spend"], twice, a=RequestInput(Float64, description="An amount"))
    others = [
        mark(twice, view["spend"], a=Float64),
        mark(view["spend"], request_feature("x", request("a") * 3, description="T"), a=Float64),
        mark(view["spend"], request_feature("y", request("a") * 2, description="T"), a=Float64),
        mark(view["spend"], twice, a=Int64),
        mark(view["spend"], twice, a=RequestInput(Float64, default=1)),
        mark(view["baskets"], twice, a=Float64),
    ]
    assert len({first, *others}) == 1 + len(others)
    one = request_feature("x", request("a") * view.spend, description="T")
    role = request_feature("x", request("a") * view.spend.as_role("payer", household_id="payer_id"), description="T")
    changed = request_feature("x", request("a") * view_of_cost().spend, description="T")
    marks = [
        output_fingerprints(compile_plan(service(each, inputs={"a": Float64})))["x"] for each in (one, role, changed)
    ]
    assert len(set(marks)) == 3
    assert other.version == 2


def view_of_cost() -> Any:
    return view_of({"spend": sum_(col("quantity"), over="7d", description="Units")})


def test_a_service_with_request_features_travels() -> None:
    made = offer()
    assert compile_plan(pickle.loads(pickle.dumps(made))) == compile_plan(made)


def computed(expression: Any, *, inputs: Any = None, description: str = "X", **options: Any) -> FeatureService:
    feature = request_feature("x", expression, description=description, **options)
    return service(purchases()["spend"], feature, inputs=AMOUNT if inputs is None else inputs)


def other_columns() -> FeatureService:
    view = purchases()
    read = view.spend.as_role("payer", household_id="other_id")
    selected = view["spend"].as_role("payer", household_id="payer_id")
    return service(selected, request_feature("x", read + 1, description="X"))


WRONG: Cases = {
    "an unknown input": (
        lambda: computed(request("amuont") + 1),
        (
            "service churn/v1.x: reads 'amuont', which is no input of the service. Instead: did you mean 'amount'? "
            "There are amount."
        ),
    ),
    "no inputs at all": (
        lambda: computed(request("amount") + 1, inputs={}),
        (
            "service churn/v1.x: reads 'amount', which is no input of the service. Instead: declare it: "
            "inputs={'amount': Float64}."
        ),
    ),
    "an input that nothing reads": (
        lambda: computed(purchases().spend + 1),
        (
            "service churn/v1: input 'amount' is read by no request feature. Instead: leave it out, or read it: "
            "request_feature(name, request('...') * 2)."
        ),
    ),
    "a constant": (
        lambda: computed(lit(1) + 1, inputs={}),
        ("service churn/v1.x: reads neither an input nor a feature. Instead: write request('name') or View.feature."),
    ),
    "types that do not fit": (
        lambda: computed(request("amount") + "s"),
        (
            "service churn/v1.x: arithmetic needs numbers, not Float64 and String. Instead: use .cast(...) where the "
            "type does not fit."
        ),
    ),
    "an array": (
        lambda: computed(request("amount"), inputs={"amount": Array(Float64, 2)}),
        (
            "service churn/v1, input 'amount': an input cannot be Array[Float64, 2]. Instead: use one of Int64, "
            "Float64, "
            "Float32, Boolean, String, Timestamp or Vector(n)."
        ),
    ),
    "a default of another type": (
        lambda: computed(request("amount"), inputs={"amount": RequestInput(Float64, default="1")}),
        (
            "service churn/v1, input 'amount': default='1' is not of type Float64. Instead: write a value of type "
            "Float64, or no default."
        ),
    ),
    "an input without a type": (
        lambda: computed(request("amount"), inputs={"amount": 1.0}),
        (
            "service churn/v1, input 'amount': it=1.0 is of type float. Instead: write a type, or "
            "RequestInput(Float64, "
            "default=0.0)."
        ),
    ),
    "inputs as a list": (
        lambda: computed(request("amount"), inputs=["amount"]),
        (
            "service churn/v1: inputs=['amount'] is of type list. Instead: give a type by name: inputs={'amount': "
            "Float64}."
        ),
    ),
    "an input called like a key": (
        lambda: computed(request("household_id"), inputs={"household_id": Int64}),
        "service churn/v1: input 'household_id' is called like a key column. Instead: give it another name.",
    ),
    "an output called like an input": (
        lambda: service(
            purchases()["spend"], request_feature("amount", request("amount"), description="A"), inputs=AMOUNT
        ),
        "service churn/v1: two columns would be called 'amount'. Instead: give one of them an alias.",
    ),
    "a view for a feature": (
        lambda: computed(ratio(request("amount"), purchases(), description="X")),
        "request feature x: reads spend, not a feature of it. Instead: write View.feature.",
    ),
    "two features of a selection": (
        lambda: computed(ratio(request("amount"), purchases()["spend", "baskets"], description="X")),
        "request feature x: reads spend, not a feature of it. Instead: write View.feature.",
    ),
    "an aggregate": (
        lambda: computed(request("amount") - count(over="7d", description="C")),
        "request feature x: reads a feature that no view declares. Instead: write View.feature.",
    ),
    "days since an input": (
        lambda: computed(days_since(request("amount"), description="D")),
        (
            "request feature x: reads days_since(...) without a view. Instead: declare it in a view and read it as "
            "View.feature; of an input take .hour() or .weekday()."
        ),
    ),
    "a freshness": (
        lambda: computed(derive(request("amount"), description="D", freshness="1d")),
        (
            "request feature x: freshness= is an option of stored features. Instead: leave it out: a request feature "
            "is "
            "computed when it is read."
        ),
    ),
    "no description": (
        lambda: computed(request("amount"), description=""),
        "request feature x: has no description. Instead: give description='...'.",
    ),
    "a narrower type": (
        lambda: computed(request("amount"), dtype=Int64),
        (
            "service churn/v1.x: dtype=Int64, but its values are Float64. Instead: leave out dtype=, or .cast(Int64) "
            "in "
            "the expression."
        ),
    ),
    "no feature of a view": (
        lambda: service(request_feature("x", request("amount"), description="X"), inputs=AMOUNT),
        "service churn/v1: reads no feature of a view. Instead: select some, or read one: View.feature.",
    ),
    "a view that may not be read": (
        lambda: service(request_feature("x", demographics(owner="pricing").income.is_null(), description="X")),
        "service churn/v1: team growth may not read retail/about/v1. Instead: ask pricing to add 'growth' to readers=.",
    ),
    "other columns of a role": (
        other_columns,
        (
            "service churn/v1.x: reads payer__spend by other columns than the service does. Instead: leave them out, "
            "or "
            "give it a role of its own."
        ),
    ),
    "a request in a view": (
        lambda: view_of({"x": sum_(request("amount"), over="7d", description="X")}),
        (
            "retail/spend/v1.x: reads request('amount'), which nobody knows before a service is asked. Instead: "
            "write it "
            "in a service: request_feature(name, expression)."
        ),
    ),
    "an instant without a zone": (
        lambda: computed(request("at").hour(), inputs={"at": RequestInput(Timestamp, default="2026-01-01")}),
        (
            "service churn/v1, input 'at': default='2026-01-01' is not of type Timestamp. Instead: write a value of "
            "type "
            "Timestamp, or no default."
        ),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_message(name: str) -> None:
    check(WRONG, name)
