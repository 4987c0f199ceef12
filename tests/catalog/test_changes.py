"""What differs between what is recorded and what is declared, and what of it is refused."""

from typing import Any

from feature_store import FeatureService, Float32, Float64, RequestInput, count, request, request_feature
from feature_store.catalog.changes import compare, refusals
from feature_store.catalog.documents import Definition, definitions_of
from tests.catalog.declared import feature, service, view
from tests.model.declare import purchases, view_of

SPEND = view("retail/spend/v1", [feature("spend_7d", "sum(sales)"), feature("visits_7d", "count()")])
CHURN = service("churn/v1", {SPEND.name: SPEND}, [(SPEND.name, "spend_7d")])


def summary(before: list[Definition], after: list[Definition]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(change.action, change.name, change.fields) for change in compare(before, after)]


def problems(before: list[Definition], after: list[Definition], others: tuple[Definition, ...] = ()) -> list[str]:
    return [str(refusal) for refusal in refusals(compare(before, after), [*others, *after])]


def test_equal_definitions_do_not_differ() -> None:
    assert compare([SPEND, CHURN], [CHURN, SPEND]) == []


def test_a_new_view_brings_its_features_and_a_removed_one_takes_them_along() -> None:
    features = [f"{SPEND.name}.spend_7d", f"{SPEND.name}.visits_7d"]
    assert summary([], [SPEND]) == [("added", SPEND.name, ()), *(("added", name, ()) for name in features)]
    assert summary([SPEND], []) == [("removed", SPEND.name, ()), *(("removed", name, ()) for name in features)]


def test_prose_of_a_feature_changes_it_and_is_allowed() -> None:
    spend = feature("spend_7d", "sum(sales)", description="Money")
    reworded = view(SPEND.name, [spend, feature("visits_7d", "count()")])
    assert summary([SPEND], [reworded]) == [("changed", f"{SPEND.name}.spend_7d", ("description",))]
    assert problems([SPEND], [reworded], (CHURN,)) == []


def test_another_order_of_features_is_a_change_of_the_view_alone() -> None:
    turned = view(SPEND.name, SPEND.document["features"][::-1])
    assert summary([SPEND], [turned]) == [("changed", SPEND.name, ("order of features",))]


def test_another_logic_under_the_same_version_is_refused_with_both_logics() -> None:
    other = view(SPEND.name, [feature("spend_7d", "sum(cost)"), feature("visits_7d", "count()")])
    (problem,) = problems([SPEND], [other])
    assert problem == (
        "retail/spend/v1.spend_7d: means other values under the same version: sum(sales) as Float64 became sum(cost) "
        "as Float64. Instead: leave it as it was and declare a new version of the view."
    )


def test_a_feature_is_added_in_place() -> None:
    more = view(SPEND.name, [*SPEND.document["features"], feature("mean_7d", "mean(sales)")])
    assert summary([SPEND], [more]) == [("added", f"{SPEND.name}.mean_7d", ())]
    assert problems([SPEND], [more]) == []


def test_a_renamed_feature_keeps_its_values_unless_it_is_changed_at_once() -> None:
    visits = feature("visits_7d", "count()")
    renamed = view(SPEND.name, [feature("money_7d", "sum(sales)", renamed_from="spend_7d"), visits])
    changed = view(SPEND.name, [feature("money_7d", "sum(cost)", renamed_from="spend_7d"), visits])
    ((action, name, _),) = summary([SPEND], [renamed])
    assert (action, name) == ("renamed", f"{SPEND.name}.money_7d")
    assert problems([SPEND], [renamed]) == []
    assert "is renamed and changed at once" in problems([SPEND], [changed])[0]


def test_what_a_service_of_any_team_reads_is_not_removed() -> None:
    less = view(SPEND.name, [feature("visits_7d", "count()")])
    theirs = service("offers/v1", {SPEND.name: SPEND}, [(SPEND.name, "spend_7d")], owner="pricing")
    assert problems([SPEND], [less]) == []
    (problem,) = problems([SPEND], [less], (theirs,))
    assert "is read by service offers/v1 (pricing)" in problem
    assert [p.partition(":")[0] for p in problems([SPEND], [], (theirs,))] == [SPEND.name, f"{SPEND.name}.spend_7d"]


def test_outputs_of_a_service_are_only_added_at_the_end() -> None:
    both = service("churn/v1", {SPEND.name: SPEND}, [(SPEND.name, "spend_7d"), (SPEND.name, "visits_7d")])
    swapped = service("churn/v1", {SPEND.name: SPEND}, [(SPEND.name, "visits_7d"), (SPEND.name, "spend_7d")])
    assert problems([CHURN], [both]) == []
    assert "no longer gives retail/spend/v1__visits_7d" in problems([both], [CHURN])[0]
    assert "in another order" in problems([both], [swapped])[0]


def test_an_output_of_another_fingerprint_is_another_output() -> None:
    other = view(SPEND.name, [feature("spend_7d", "sum(cost)")])
    changed = service("churn/v1", {SPEND.name: other}, [(SPEND.name, "spend_7d")])
    assert "gives other features under the same version" in problems([CHURN], [changed])[0]


def offer(inputs: dict[str, Any], **options: Any) -> Definition:
    declared = purchases()
    amount = request_feature("twice", request("amount") * declared.spend, description="Twice", **options)
    others = [
        request_feature(f"of_{name}", request(name) + 1, description="More") for name in inputs if name != "amount"
    ]
    made = FeatureService("offer", 1, "growth", "An offer", [declared["baskets"], amount, *others], inputs=inputs)
    (found,) = definitions_of([], [], [made])
    return found


def test_inputs_that_callers_must_give_otherwise_are_refused() -> None:
    before = offer({"amount": Float64})
    assert problems([before], [offer({"amount": Float64, "more": RequestInput(Float64, default=1)})]) == []
    assert "must be given more" in problems([before], [offer({"amount": Float64, "more": Float64})])[0]
    assert "takes otherwise amount" in problems([before], [offer({"amount": Float32})])[-1]
    gone = problems([offer({"amount": Float64, "more": Float64})], [before])
    assert any("no longer takes more" in problem for problem in gone)


def test_what_a_request_feature_reads_is_not_removed() -> None:
    (declared,) = definitions_of([], [purchases()], [])
    (less,) = definitions_of([], [view_of({"baskets": count(over="7d", description="Purchases")})], [])
    found = problems([declared], [less], (offer({"amount": Float64}),))
    assert any("spend/v1.spend: is read by service offer/v1 (growth)" in problem for problem in found)
