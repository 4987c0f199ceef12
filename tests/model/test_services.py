"""Feature services: names of outputs, roles, access, and the plan they compile to."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store import (
    DefinitionError,
    Entity,
    FeatureService,
    Int64,
    String,
    col,
    count,
    days_since,
    hour_of_day,
    last,
    ratio,
)
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import FeatureStoreError
from feature_store.model.views import FeatureView
from feature_store.plans.plan_revisions import read_plans
from feature_store.plans.service_plan import (
    PlanFeature,
    PlanKey,
    PlanOutput,
    PlanView,
    ServicePlan,
    plan_path,
    write_plan,
)
from tests.model.declare import EVENT_COLUMNS, demographics, event_source, purchases, service, view_of

AIRPORT = Entity("airport", keys={"airport_id": String}, description="An airport")


def airports() -> FeatureView:
    source = event_source(name="flights", asset="raw/flights", columns={**EVENT_COLUMNS, "airport_id": String})
    at = last(col("purchased_at"), over="30d", description="Last flight")
    features = {
        "flights": count(over="7d", description="Flights"),
        "share": ratio(col("flights"), col("flights"), description="One"),
        "at": at,
        "days": days_since(at, description="Days since the last flight"),
        "hour": hour_of_day(description="Hour of T"),
    }
    return view_of(features, entity=AIRPORT, source=source, name="airport")


def test_outputs_are_named_by_view_role_or_alias_in_the_services_order() -> None:
    view = airports()
    chosen = service(
        purchases()["last_purchase", "spend"].alias(spend="spend"),
        view["flights"].as_role("origin", airport_id="origin_id"),
        view["days", "hour"].as_role("destination", airport_id="destination_id").alias(hour="hour_of_request"),
    )
    plan = compile_plan(chosen)
    assert [output.name for output in plan.outputs] == [
        "spend__last_purchase",
        "spend",
        "origin__airport__flights",
        "destination__airport__days",
        "hour_of_request",
    ]
    assert plan.keys == chosen.keys == {"household_id": Int64, "origin_id": String, "destination_id": String}
    assert [view.prefix for view in plan.views] == ["spend", "origin__airport", "destination__airport"]
    assert plan.views[1].keys == (PlanKey("airport_id", "String", "origin_id"),)
    assert plan.views[2].view == view.full_name
    assert chosen.views == (chosen.features[0].view, view)


def test_a_plan_holds_the_stored_features_it_needs_in_declared_order() -> None:
    view = airports()
    plan = compile_plan(service(view["days", "share", "hour", "flights"]))
    (only,) = plan.views
    assert [feature.name for feature in only.features] == ["flights", "share", "at"]
    assert [feature.empty for feature in only.features] == [0, None, None]
    assert [feature.fingerprint for feature in only.features] == [view.fingerprints[f.name] for f in only.features]
    assert [(output.feature, output.on_read, output.dtype) for output in plan.outputs] == [
        ("at", "days_since", "Float64"),
        ("share", None, "Float64"),
        (None, "hour_of_day", "Int64"),
        ("flights", None, "Int64"),
    ]


def test_a_plan_carries_ttl_freshness_and_readers() -> None:
    plan = compile_plan(
        service(purchases(ttl="3d", freshness="2d", readers=["everyone"]).all(), readers=["pricing", "everyone"])
    )
    assert (plan.views[0].ttl, plan.views[0].freshness) == (3 * 86_400_000_000, 2 * 86_400_000_000)
    assert plan.readers == ("pricing", "everyone")
    assert (plan.full_name, plan.owner) == ("churn/v1", "growth")


@pytest.mark.parametrize(
    ("owner", "readers", "allowed"),
    [
        ("growth", [], True),
        ("growth", ["pricing"], True),
        ("pricing", [], False),
        ("pricing", ["pricing"], True),
        ("pricing", ["everyone"], True),
        ("pricing", ["growth"], False),
    ],
)
def test_only_the_owner_and_declared_readers_may_read_a_view(owner: str, readers: list[str], allowed: bool) -> None:
    view = demographics(readers=readers)
    if allowed:
        assert service(view.all(), owner=owner).views == (view,)
    else:
        with pytest.raises(DefinitionError, match=f"team {owner} may not read {view.full_name}"):
            service(view.all(), owner=owner)


@pytest.mark.parametrize(
    ("view_readers", "reader", "allowed"),
    [
        ([], "pricing", False),
        (["pricing"], "pricing", True),
        (["pricing"], "everyone", False),
        (["everyone"], "pricing", True),
        (["everyone"], "everyone", True),
        ([], "growth", True),
    ],
)
def test_a_service_passes_a_view_on_only_to_who_may_read_it(
    view_readers: list[str], reader: str, allowed: bool
) -> None:
    view = demographics(readers=view_readers)
    if allowed:
        assert service(view.all(), readers=[reader]).readers == (reader,)
    else:
        with pytest.raises(DefinitionError, match=f"team {reader} may not read {view.full_name}"):
            service(view.all(), readers=[reader])


def test_aliases_and_roles_are_kept_whichever_comes_first() -> None:
    view = airports()
    one = view["flights", "at"].alias(flights="n").alias(at="t").as_role("x", airport_id="x_id")
    other = view["flights", "at"].as_role("x", airport_id="x_id").alias(flights="n", at="t")
    assert (
        [one.output_name(name) for name in one.names] == [other.output_name(name) for name in other.names] == ["n", "t"]
    )
    assert one.key_column("airport_id") == other.key_column("airport_id") == "x_id"


def test_an_unknown_feature_is_a_key_error_with_a_suggestion() -> None:
    with pytest.raises(KeyError, match="did you mean 'flights'"):
        airports().feature("flight")


NAMES = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
DTYPES = st.sampled_from(["Int64", "Float64", "Float32", "Boolean", "String", "Timestamp", "Vector[3]"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=3),
)
VIEWS = st.builds(
    PlanView,
    view=NAMES,
    prefix=NAMES,
    keys=st.lists(st.builds(PlanKey, NAMES, st.sampled_from(["Int64", "String"]), NAMES), max_size=3).map(tuple),
    ttl=st.none() | st.integers(1, 2**60),
    freshness=st.integers(1, 2**60),
    features=st.lists(st.builds(PlanFeature, NAMES, DTYPES, NAMES, VALUES), max_size=3).map(tuple),
)
OUTPUTS = st.builds(PlanOutput, NAMES, DTYPES, st.integers(0, 3), st.none() | NAMES, st.none() | NAMES)
PLANS = st.builds(
    ServicePlan,
    service=NAMES,
    version=st.integers(1, 99),
    owner=NAMES,
    readers=st.lists(NAMES, max_size=3).map(tuple),
    views=st.lists(VIEWS, max_size=3).map(tuple),
    outputs=st.lists(OUTPUTS, max_size=4).map(tuple),
)


def test_nobody_can_change_what_was_checked() -> None:
    features = [purchases().all()]
    made = FeatureService("churn", 1, "growth", "Will it churn?", features)
    features.append("junk")
    assert [view.name for view in made.views] == ["spend"]


def test_what_is_no_attribute_is_none_for_tools() -> None:
    assert not hasattr(purchases(), "spent")
    assert not hasattr(col("spend"), "upper")


@given(PLANS)
def test_a_plan_is_the_same_after_json(plan: ServicePlan) -> None:
    again = ServicePlan.from_json(plan.to_json())
    assert again == plan
    assert repr(again) == repr(plan)  # 1, 1.0 and True are equal, and not the same


@pytest.mark.parametrize("text", ['{"format": 2}', "{}"])
def test_a_plan_of_another_format_is_refused(text: str) -> None:
    with pytest.raises(FeatureStoreError, match="run `features apply` again"):
        ServicePlan.from_json(text)


def test_plans_are_written_to_and_read_from_a_folder(tmp_path: Path) -> None:
    first = compile_plan(service(purchases().all()))
    second = compile_plan(service(purchases()["spend"], version=2))
    folder = tmp_path / "plans"
    assert write_plan(folder, first) == plan_path(folder, "churn", 1)
    write_plan(folder, second)
    write_plan(folder, second)
    assert read_plans(folder) == {"churn/v1": first, "churn/v2": second}
    assert sorted(path.name for path in folder.iterdir()) == ["churn.v1.json", "churn.v2.json"]
    assert read_plans(tmp_path / "nothing") == {}
