"""Columns are followed to features and services, and back; features that are alike are found."""

from dataclasses import replace

import pytest

from feature_store.catalog.lineage import lineage_of
from feature_store.catalog.similar import SimilarFeatures
from feature_store.catalog.source_changes import column_changes
from feature_store.errors import InputError
from tests.catalog.declared import feature, service, view

SPEND = view(
    "retail/spend/v1",
    [
        feature("spend_7d", "sum(x)"),
        feature("visits_7d", "count()", columns=["at"]),
        feature("share", "spend_7d / visits_7d", kind="derived", reads=["spend_7d", "visits_7d"]),
        feature("spend_30d", "sum(x)", over="30d"),
    ],
)
MONEY = view("shops/money/v1", [feature("money", "sum(x)")], owner="shops")
CHURN = service("churn/v1", {SPEND.name: SPEND}, [(SPEND.name, "share")])
ALL = lineage_of([CHURN, SPEND, MONEY])


def names(nodes: list) -> list[str]:
    return [node.name for node in nodes]


def test_a_column_reaches_what_reads_it_of_every_team() -> None:
    of_spend = [f"{SPEND.name}.spend_30d", f"{SPEND.name}.spend_7d"]
    assert names(ALL.below("raw/rows.x")) == [
        *of_spend,
        f"{MONEY.name}.money",
        f"{SPEND.name}.share",
        "service churn/v1",
    ]
    assert names(ALL.below("raw/rows.at")) == [f"{SPEND.name}.visits_7d", f"{SPEND.name}.share", "service churn/v1"]


def test_a_source_reaches_all_that_its_columns_do() -> None:
    assert {node.owner for node in ALL.below("raw/rows")} == {None, "growth", "shops"}


def test_a_service_is_computed_from_columns_through_features() -> None:
    above = set(names(ALL.above("service churn/v1")))
    assert above == {f"{SPEND.name}.{f}" for f in ("share", "spend_7d", "visits_7d")} | {"raw/rows.x", "raw/rows.at"}


def test_an_input_of_a_service_is_above_it_alone() -> None:
    asked = replace(CHURN, document={**CHURN.document, "inputs": {"amount": {"dtype": "Float64", "default": None}}})
    lineage = lineage_of([asked, SPEND, MONEY])
    (given,) = [node for node in lineage.above("churn/v1") if node.kind == "input"]
    assert (given.name, given.owner) == ("churn/v1.amount", CHURN.owner)
    assert names(lineage.below("churn/v1.amount")) == ["service churn/v1"]


def test_an_unknown_name_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"knows no 'raw/row\.x': did you mean raw/rows\.x"):
        ALL.below("raw/row.x")


def test_a_column_that_changed_names_everything_downstream_in_one_line() -> None:
    source = {**SPEND.document["source"], "columns": {"id": "Int64", "at": "Timestamp", "x": "Int64", "new": "String"}}
    changed = view(SPEND.name, SPEND.document["features"], source=source)
    gone = view(SPEND.name, SPEND.document["features"], source={**source, "columns": {"id": "Int64", "x": "Float64"}})
    (retyped,) = column_changes([SPEND, CHURN], [changed, CHURN], ALL)
    reached = ", ".join(node.name for node in ALL.below("raw/rows.x"))
    assert str(retyped) == f"raw/rows.x was Float64 and is Int64: it reaches {reached}"
    (lost,) = column_changes([SPEND, CHURN], [gone, CHURN], ALL)
    assert str(lost).startswith("raw/rows.at is gone: it reaches retail/spend/v1.visits_7d, ")
    assert column_changes([SPEND], [MONEY], ALL) == []
    assert column_changes([SPEND], [], ALL) == []


def test_features_alike_are_found_the_most_alike_first() -> None:
    alike = SimilarFeatures([SPEND, MONEY]).to(f"{SPEND.name}.spend_7d")
    assert [(each.name, each.likeness, each.owner) for each in alike] == [
        (f"{MONEY.name}.money", "same values", "shops"),
        (f"{SPEND.name}.spend_30d", "same logic, other window", "growth"),
    ]
    assert SimilarFeatures([SPEND, MONEY]).to(f"{SPEND.name}.visits_7d") == []
