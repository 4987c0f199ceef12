"""Features of table views that are refused."""

import pytest

from feature_store import EmbeddingTable, Float32, Int64, col, embed, field, last
from tests.model.declare import Cases, check, demographics, events, table


def embedded(**options: object) -> object:
    vectors = EmbeddingTable("incomes", {"low": [0.0, 1.0]})
    return table(income=field(embed(col("income"), vectors), description="Income", **options))


WRONG: Cases = {
    "a field of an event source": (
        lambda: events(department=field(description="Department")),
        (
            "retail/spend/v1.department: is a field, but purchases is an event source. Instead: aggregate it: "
            "last(...), or use a table source."
        ),
    ),
    "no such column": (
        lambda: table(incom=field(description="Income")),
        (
            "retail/spend/v1.incom: unknown column 'incom' of source demographics. Instead: did you mean "
            "'income'? There are household_id, updated_at, landed_at, valid_to, is_deleted, income, size."
        ),
    ),
    "no such column in its expression": (
        lambda: table(x=field(col("sizes") + 1, description="X")),
        (
            "retail/spend/v1.x: unknown column 'sizes' of source demographics. Instead: did you mean 'size'? "
            "There are household_id, updated_at, landed_at, valid_to, is_deleted, income, size."
        ),
    ),
    "a column's name": (
        lambda: table(x=field("income", description="X")),
        "retail/spend/v1.x: the field is not an expression but 'income'. Instead: write col('income').",
    ),
    "an aggregate": (
        lambda: table(x=last(col("income"), description="X")),
        (
            "retail/spend/v1.x: aggregates, but demographics is a table source. Instead: use field(...), or an "
            "event source."
        ),
    ),
    "wrong types": (
        lambda: table(x=field(col("income") + 1, description="X")),
        (
            "retail/spend/v1.x: arithmetic needs numbers, not String and Int64. Instead: use .cast(...) where "
            "the type does not fit."
        ),
    ),
    "dtype not allowed": (
        lambda: table(income=field(description="Income", dtype=Int64)),
        (
            "retail/spend/v1.income: dtype=Int64, but its values are String. Instead: leave out dtype=, or "
            ".cast(Int64) in the expression."
        ),
    ),
    "default of another type": (
        lambda: table(size=field(description="Size", default="many")),
        (
            "retail/spend/v1.size: default='many' is not of type Int64. Instead: write a value of type Int64, or "
            "no default."
        ),
    ),
    "default of a vector too short": (
        lambda: embedded(default=[0.0]),
        (
            "retail/spend/v1.income: default=[0.0] is not of type Vector[2]. Instead: list 2 finite numbers, or "
            "give no default."
        ),
    ),
    "default of a vector not finite": (
        lambda: embedded(default=[0.0, float("nan")]),
        (
            "retail/spend/v1.income: default=[0.0, nan] is not of type Vector[2]. Instead: list 2 finite numbers, "
            "or give no default."
        ),
    ),
    "default of a vector as one number": (
        lambda: embedded(default=0.0),
        (
            "retail/spend/v1.income: default=0.0 is not of type Vector[2]. Instead: list 2 finite numbers, or give "
            "no default."
        ),
    ),
    "no description": (
        lambda: table(size=field()),
        "retail/spend/v1.size: has no description. Instead: give description='...'.",
    ),
    "unknown option": (
        lambda: table(size=field(over="7d", description="Size")),
        (
            "field(...): has no option 'over'. Instead: use one of description, deprecated, dtype, "
            "freshness, renamed_from, default."
        ),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_message(name: str) -> None:
    check(WRONG, name)


def test_right_ones_pass() -> None:
    view = table(
        size=field(description="Size", default=1),
        half=field(col("size") / 2, description="Half the size", dtype=Float32),
    )
    assert [(feature.kind, feature.dtype.name, feature.logic) for feature in view] == [
        ("field", "Int64", "size"),
        ("field", "Float32", "size / 2"),
    ]
    assert demographics().is_table
