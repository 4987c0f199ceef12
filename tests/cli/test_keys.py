import pytest

from feature_assets.cli.keys import parse_keys
from feature_store import Int64, String
from feature_store.errors import InputError

ONE = {"household_id": Int64}
TWO = {"household_id": Int64, "department": String}


def test_repeated_keys_are_more_entities():
    assert parse_keys(["household_id=1", "household_id=-2"], ONE) == {"household_id": [1, -2]}


def test_columns_in_any_order_and_values_with_equals_signs():
    assert parse_keys(["department=A=B", "household_id=1"], TWO) == {"household_id": [1], "department": ["A=B"]}


def test_one_value_holds_for_all():
    keys = parse_keys(["household_id=1", "department=A", "department=", "department=C"], TWO)
    assert keys == {"household_id": [1, 1, 1], "department": ["A", "", "C"]}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["900"], "--key '900' is not column=value: write --key household_id=900 --key department=GROCERY"),
        (["household=900"], "'household' is not a key here"),
        (["household_id=7"], "key 'department' is missing: write --key household_id=7 --key department=GROCERY"),
        (["department=SALAD BAR"], "write --key household_id=900 --key 'department=SALAD BAR'"),
        ([], "key 'household_id' is missing"),
        (["household_id=9x", "department=A"], "'9x' is not a whole number"),
        (["household_id=", "department=A"], "'' is not a whole number"),
        ([f"household_id={2**63}", "department=A"], "does not fit an Int64"),
        (
            ["household_id=1", "household_id=2", "department=A", "department=B", "department=C"],
            "give each 3 values, or one",
        ),
    ],
)
def test_bad_keys_are_refused(texts, message):
    with pytest.raises(InputError) as error:
        parse_keys(texts, TWO)
    assert message in str(error.value)
