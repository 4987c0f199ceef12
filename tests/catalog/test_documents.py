"""What is recorded of declarations."""

import json
from itertools import combinations

from feature_store.catalog.changes import compare
from feature_store.catalog.documents import definitions_of
from tests.model.declare import demographics, purchases, service


def test_documents_are_json_and_the_same_after_a_way_through_it() -> None:
    views = [purchases(), demographics()]
    for each in definitions_of([], views, [service(views[0].all(), views[1].all())]):
        assert json.loads(each.text) == each.document


def test_declaring_the_same_again_changes_nothing() -> None:
    once, again = ([purchases(), demographics()] for _ in range(2))
    assert compare(definitions_of([], once, []), definitions_of([], again, [])) == []


def test_features_and_their_source_columns_are_recorded() -> None:
    (recorded,) = definitions_of([], [purchases()], [])
    columns = {feature["name"]: feature["columns"] for feature in recorded.document["features"]}
    assert columns["spend"] == ["sales_value"]
    known = set(recorded.document["source"]["columns"])
    assert all(set(names) <= known for names in columns.values())


def test_features_of_other_logic_have_other_meanings() -> None:
    (recorded,) = definitions_of([], [purchases()], [])
    features = [feature for feature in recorded.document["features"] if feature["kind"] == "aggregate"]
    for one, other in combinations(features, 2):
        assert (one["meaning"] == other["meaning"]) == (
            one["logic"].partition(" over ")[0] == other["logic"].partition(" over ")[0]
        )
