"""What changes a fingerprint and what does not."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store import (
    EmbeddingTable,
    Entity,
    FeatureView,
    Float32,
    Int64,
    String,
    bucketise,
    col,
    count,
    days_since,
    derive,
    embed,
    field,
    hour_of_day,
    last,
    max_,
    mean,
    n_unique,
    one_hot,
    ordinal,
    ratio,
    sum_,
    when,
)
from feature_store.drafts import FeatureDraft
from tests.model.declare import EVENT_COLUMNS, HOUSEHOLD, TABLE_COLUMNS, event_source, table_source, view_of

ROOT = Path(__file__).parents[2]
SALES = col("sales_value")
DELI = col("department") == "DELI"


def spend(value: Any = SALES, **options: Any) -> FeatureDraft:
    return sum_(value, **{"over": "7d", "description": "Spend", **options})


def of(draft: FeatureDraft, **options: Any) -> str:
    """Return the fingerprint of a feature alone in its view."""
    return view_of({"x": draft}, **options).feature("x").fingerprint


def over_table(draft: FeatureDraft, **options: Any) -> str:
    return of(draft, **{"source": table_source(), **options})


SAME: dict[str, tuple[Callable[[], str], Callable[[], str]]] = {
    "prose": (lambda: of(spend()), lambda: of(spend(description="Another text"))),
    "freshness of the feature": (lambda: of(spend()), lambda: of(spend(freshness="3d"))),
    "freshness of the view": (lambda: of(spend()), lambda: of(spend(), freshness="3d")),
    "owner": (lambda: of(spend()), lambda: of(spend(), owner="pricing")),
    "readers": (lambda: of(spend()), lambda: of(spend(), readers=["everyone"])),
    "available_after": (lambda: of(spend()), lambda: of(spend(), available_after="1h")),
    "ttl": (lambda: of(spend()), lambda: of(spend(), ttl="9d")),
    "start": (lambda: of(spend()), lambda: of(spend(), start=datetime(2017, 6, 1, tzinfo=UTC))),
    "names": (lambda: of(spend()), lambda: of(spend(), name="other", namespace="shop", version=2)),
    "name of the source": (lambda: of(spend()), lambda: of(spend(), source=event_source(name="buys"))),
    "name of the entity": (lambda: of(spend()), lambda: of(spend(), entity=Entity("home", HOUSEHOLD.keys, "Home"))),
    "lateness": (lambda: of(spend()), lambda: of(spend(), source=event_source(allowed_lateness="2d"))),
    "assets": (lambda: of(spend()), lambda: of(spend(), assets="view")),
    "former name": (lambda: of(spend()), lambda: of(spend(renamed_from="old"))),
    "another spelling of the window": (lambda: of(spend()), lambda: of(spend(over="168h"))),
    "the default hop spelled out": (lambda: of(spend()), lambda: of(spend(hop="1h"))),
    "a default as int or float": (lambda: of(spend(default=0)), lambda: of(spend(default=-0.0))),
    "the same instant in another zone": (
        lambda: of(spend(where=col("purchased_at") > datetime(2017, 1, 1, tzinfo=UTC))),
        lambda: of(spend(where=col("purchased_at") > datetime(2017, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))),
    ),
    "name of an embedding table, and the order of its keys": (
        lambda: over_table(field(vectors("a", {"x": [1.0], "y": [2.0]}), description="V")),
        lambda: over_table(field(vectors("b", {"y": [2.0], "x": [1.0]}), description="V")),
    ),
    "boundaries as int or float": (
        lambda: over_table(field(bucketise(col("size"), [1, 2]), description="B")),
        lambda: over_table(field(bucketise(col("size"), [1.0, 2.0]), description="B")),
    ),
    "available_after of a table without landing times": (
        lambda: over_table(field(col("size"), description="S")),
        lambda: over_table(field(col("size"), description="S"), available_after="1h"),
    ),
}


def vectors(name: str, table: dict[str, list[float]]) -> Any:
    return embed(col("income"), EmbeddingTable(name, table))


DIFFERENT: dict[str, tuple[Callable[[], str], Callable[[], str]]] = {
    "source asset": (lambda: of(spend()), lambda: of(spend(), source=event_source(asset="raw/other"))),
    "event time": (
        lambda: of(spend()),
        lambda: of(
            spend(),
            source=event_source(
                event_time="paid_at", columns={**EVENT_COLUMNS, "paid_at": EVENT_COLUMNS["purchased_at"]}
            ),
        ),
    ),
    "event id": (lambda: of(spend()), lambda: of(spend(), source=event_source(event_id="basket_id"))),
    "sequence": (lambda: of(spend()), lambda: of(spend(), source=event_source(sequence="basket_id"))),
    "keys": (
        lambda: of(spend()),
        lambda: of(spend(), entity=Entity("household", {"household_id": Int64, "basket_id": Int64}, "H")),
    ),
    "order of keys": (
        lambda: of(spend(), entity=Entity("household", {"basket_id": Int64, "household_id": Int64}, "H")),
        lambda: of(spend(), entity=Entity("household", {"household_id": Int64, "basket_id": Int64}, "H")),
    ),
    "type of a key": (
        lambda: of(spend()),
        lambda: of(
            spend(),
            entity=Entity("household", {"household_id": String}, "H"),
            source=event_source(columns={**EVENT_COLUMNS, "household_id": String}),
        ),
    ),
    "cadence": (lambda: of(spend()), lambda: of(spend(), cadence="1h")),
    "aggregation": (lambda: of(spend()), lambda: of(max_(SALES, over="7d", description="Spend"))),
    "expression": (lambda: of(spend()), lambda: of(spend(SALES + 1))),
    "column": (lambda: of(spend()), lambda: of(spend(col("quantity").cast(Float32)))),
    "window": (lambda: of(spend()), lambda: of(spend(over="8d"))),
    "all history": (lambda: of(spend()), lambda: of(spend(over=None))),
    "hop": (lambda: of(spend()), lambda: of(spend(hop="1d"))),
    "filter": (lambda: of(spend()), lambda: of(spend(where=DELI))),
    "another filter": (lambda: of(spend(where=DELI)), lambda: of(spend(where=~DELI))),
    "filter and value": (
        lambda: of(count(DELI, over="7d", description="N")),
        lambda: of(count(over="7d", where=DELI, description="N")),
    ),
    "dtype": (lambda: of(spend()), lambda: of(spend(dtype=Float32))),
    "default": (lambda: of(spend()), lambda: of(spend(default=0))),
    "another default": (lambda: of(spend(default=0)), lambda: of(spend(default=1))),
    "rows and values": (
        lambda: of(count(over="7d", description="N")),
        lambda: of(count(SALES, over="7d", description="N")),
    ),
    "constants of two types": (lambda: of(spend(SALES * 1)), lambda: of(spend(SALES * 1.0))),
    "order of operands": (lambda: of(spend(SALES - 1)), lambda: of(spend(1 - SALES))),
    "embedding vectors": (
        lambda: over_table(field(vectors("a", {"x": [1.0]}), description="V")),
        lambda: over_table(field(vectors("a", {"x": [1.5]}), description="V")),
    ),
    "embedding keys": (
        lambda: over_table(field(vectors("a", {"x": [1.0]}), description="V")),
        lambda: over_table(field(vectors("a", {"y": [1.0]}), description="V")),
    ),
    "order of categories": (
        lambda: over_table(field(one_hot(col("income"), ["a", "b"]), description="V")),
        lambda: over_table(field(one_hot(col("income"), ["b", "a"]), description="V")),
    ),
    "encoding": (
        lambda: over_table(field(ordinal(col("size"), [1, 2]), description="V")),
        lambda: over_table(field(bucketise(col("size"), [1, 2]), description="V")),
    ),
    "kind of source": (
        lambda: over_table(field(col("size"), description="S"), source=table_source(asset="raw/x")),
        lambda: of(
            last(col("size"), over="7d", description="S"),
            source=event_source(asset="raw/x", event_time="updated_at", columns=TABLE_COLUMNS),
        ),
    ),
    "own time": (
        lambda: over_table(field(col("size"), description="S")),
        lambda: over_table(field(col("size"), description="S"), source=table_source(time="landed_at")),
    ),
    "landed_at": (
        lambda: over_table(field(col("size"), description="S")),
        lambda: over_table(field(col("size"), description="S"), source=table_source(landed_at="landed_at")),
    ),
    "deleted": (
        lambda: over_table(field(col("size"), description="S")),
        lambda: over_table(field(col("size"), description="S"), source=table_source(deleted="is_deleted")),
    ),
    "valid_to": (
        lambda: over_table(field(col("size"), description="S")),
        lambda: over_table(field(col("size"), description="S"), source=table_source(valid_to="valid_to")),
    ),
    "row_ttl": (
        lambda: over_table(field(col("size"), description="S")),
        lambda: over_table(field(col("size"), description="S"), row_ttl="30d"),
    ),
    "available_after of a table with landing times": (
        lambda: over_table(field(col("size"), description="S"), source=table_source(landed_at="landed_at")),
        lambda: over_table(
            field(col("size"), description="S"), source=table_source(landed_at="landed_at"), available_after="1h"
        ),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_does_not_change_it(name: str) -> None:
    one, other = SAME[name]
    assert one() == other()


@pytest.mark.parametrize("name", DIFFERENT)
def test_changes_it(name: str) -> None:
    one, other = DIFFERENT[name]
    assert one() != other()


def features(names: dict[str, str] | None = None) -> dict[str, FeatureDraft]:
    """Return one feature of every kind, under other names if given."""
    week, month = spend(), spend(over="30d")
    at = last(col("purchased_at"), over="90d", description="Last purchase")
    drafts: dict[str, FeatureDraft] = {
        "week": week,
        "month": month,
        "at": at,
        "trend": ratio(week, month, description="Trend"),
        "rising": derive(when(week * 4 > month).then(1).otherwise(0), description="Rising"),
        "days": days_since(at, description="Days"),
        "hour": hour_of_day(description="Hour of T"),
        "baskets": n_unique(col("basket_id"), over="7d", description="Baskets"),
        "mean": mean(SALES, over="7d", description="Mean", dtype=Float32),
    }
    return {(names or {}).get(name, name): draft for name, draft in drafts.items()}


def by_feature(view: FeatureView) -> dict[str, str]:
    return {feature.name: feature.fingerprint for feature in view}


@given(st.permutations(list(features())))
def test_the_order_of_features_does_not_count(order: list[str]) -> None:
    written = features()
    assert by_feature(view_of({name: written[name] for name in order})) == by_feature(view_of(written))


@given(st.lists(st.from_regex(r"[a-z]{3,8}_x", fullmatch=True), min_size=9, max_size=9, unique=True))
def test_names_do_not_count_not_even_those_of_inputs(others: list[str]) -> None:
    names = dict(zip(features(), others, strict=True))
    renamed = by_feature(view_of(features(names)))
    assert {name: renamed[names[name]] for name in names} == by_feature(view_of(features()))


def test_a_changed_input_changes_what_is_derived_from_it() -> None:
    changed = {**features(), "week": spend(where=DELI)}
    changed["trend"] = ratio(changed["week"], changed["month"], description="Trend")
    changed["rising"] = derive(when(col("week") * 4 > col("month")).then(1).otherwise(0), description="Rising")
    before, after = by_feature(view_of(features())), by_feature(view_of(changed))
    assert {name for name in before if before[name] != after[name]} == {"week", "trend", "rising"}


GOLDEN = {
    "week": "9299cd06d254f3d7",
    "month": "5bc854dc55395727",
    "at": "465cb12b919f8f0f",
    "trend": "197d07d43ff4d261",
    "rising": "bf8d85de1681378d",
    "days": "fcd704550dc20245",
    "hour": "f6e8c6379ade6dde",
    "baskets": "c0e75df9cc864d4d",
    "mean": "e99043ed29aa82db",
}


def test_canonical_forms_stay_as_they_are() -> None:
    """Stored values carry these; if they change without need, every table there is counts as another definition's."""
    assert by_feature(view_of(features())) == GOLDEN


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_every_process_computes_the_same(seed: str) -> None:
    script = (
        "from feature_store import Team\n"
        "from tests.model.test_fingerprints import *\n"
        "Team('growth', '#growth', 'growth@example.com')\n"
        "print(by_feature(view_of(features())) == GOLDEN)\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "True"


def test_tiles_are_of_another_definition_when_their_span_or_states_change() -> None:
    def tiles(*drafts: FeatureDraft) -> str:
        return view_of({f"x{number}": draft for number, draft in enumerate(drafts)}).tiles_fingerprint

    assert tiles(spend(), spend(over="30d")) == tiles(spend(over="30d"), spend(over="14d"))
    assert tiles(spend()) == tiles(spend(default=1, dtype=Float32))
    assert tiles(spend()) != tiles(spend(over="36h"))
    assert tiles(spend()) != tiles(spend(where=DELI))
    assert tiles(spend()) != tiles(spend(), count(SALES, over="7d", description="N", where=DELI))
