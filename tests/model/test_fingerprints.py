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
    DType,
    EmbeddingTable,
    Entity,
    EventSource,
    FeatureView,
    Float32,
    Float64,
    Int64,
    String,
    Timestamp,
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
from feature_store.declare.drafts import FeatureDraft
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


def events_with(**types: DType) -> EventSource:
    """Return the event source with columns of other types, or more of them."""
    return event_source(columns={**EVENT_COLUMNS, **types})


def known_at(column: str) -> EventSource:
    """Return the event source with a column that says when its rows are known."""
    return event_source(known_at=column, columns={**EVENT_COLUMNS, "paid_at": Timestamp, "settled_at": Timestamp})


def size(*columns: str, **options: Any) -> str:
    """Return the fingerprint of the field ``size`` of a table whose columns are these, in that order."""
    types = {"household_id": Int64, "updated_at": Timestamp, **TABLE_COLUMNS, "score": Float64}
    source = table_source(columns={name: types[name] for name in columns}, **options)
    return over_table(field(col("size"), description="S"), source=source)


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
    "type of a column that it does not read": (
        lambda: of(spend()),
        lambda: of(spend(), source=events_with(quantity=Float64)),
    ),
    "order of the columns of events": (
        lambda: of(spend()),
        lambda: of(spend(), source=event_source(columns=dict(reversed(EVENT_COLUMNS.items())))),
    ),
    "columns of a table after the last one that it reads": (
        lambda: size("household_id", "updated_at", "income", "size"),
        lambda: size("household_id", "updated_at", "income", "size", "score"),
    ),
    "place of a table's keys and time": (
        lambda: size("household_id", "updated_at", "income", "size"),
        lambda: size("income", "household_id", "size", "updated_at"),
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
    "known at": (
        lambda: of(spend(), source=events_with(paid_at=Timestamp, settled_at=Timestamp)),
        lambda: of(spend(), source=known_at("paid_at")),
    ),
    "known at another time": (
        lambda: of(spend(), source=known_at("paid_at")),
        lambda: of(spend(), source=known_at("settled_at")),
    ),
    "event id": (lambda: of(spend()), lambda: of(spend(), source=event_source(event_id="basket_id"))),
    "sequence": (lambda: of(spend()), lambda: of(spend(), source=event_source(sequence="basket_id"))),
    "type of the sequence": (
        lambda: of(spend(), source=event_source(sequence="basket_id")),
        lambda: of(spend(), source=event_source(sequence="basket_id", columns={**EVENT_COLUMNS, "basket_id": String})),
    ),
    "type of the column": (
        lambda: of(spend()),
        lambda: of(spend(), source=events_with(sales_value=Float32)),
    ),
    "type of a column of the filter": (
        lambda: of(spend(where=col("quantity") > 0)),
        lambda: of(spend(where=col("quantity") > 0), source=events_with(quantity=Float64)),
    ),
    "type of the buckets' column": (
        lambda: of(count(by=col("quantity") > 0, buckets=[True], over="7d", description="N")),
        lambda: of(
            count(by=col("quantity") > 0, buckets=[True], over="7d", description="N"),
            source=events_with(quantity=Float64),
        ),
    ),
    "order of a table's columns, which breaks ties": (
        lambda: size("household_id", "updated_at", "income", "size"),
        lambda: size("household_id", "updated_at", "size", "income"),
    ),
    "a column before the one it reads": (
        lambda: size("household_id", "updated_at", "size"),
        lambda: size("household_id", "updated_at", "score", "size"),
    ),
    "a column before the one that ends the row": (
        lambda: size("household_id", "updated_at", "size", "is_deleted", deleted="is_deleted"),
        lambda: size("household_id", "updated_at", "size", "score", "is_deleted", deleted="is_deleted"),
    ),
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
    "week": "8b7f4e62d8e53870",
    "month": "886e0c93ddba3ada",
    "at": "2077ffff055e4a2e",
    "trend": "44b4d331bee0ee09",
    "rising": "829623cf437dae66",
    "days": "c7526ade22888f31",
    "hour": "3cabcadf0afe4fc2",
    "baskets": "426393898ab2ff6e",
    "mean": "7249448d7ae02522",
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


def test_states_are_of_another_definition_when_the_types_of_their_columns_change() -> None:
    def states(**options: Any) -> tuple[str, set[str]]:
        view = view_of({"spend": spend(where=DELI), "n": count(over="7d", description="N")}, **options)
        return view.tiles_fingerprint, {column for each in view.aggregations for column in each.tile_columns()}

    before, columns = states()
    after, others = states(source=events_with(sales_value=Float32))
    assert before != after
    # The counts of rows read no column, or no other one than before.
    assert {column for column in columns & others if not column.startswith("n_")} == set()
    assert len(columns & others) == 2
    assert states(source=events_with(quantity=Float64)) == (before, columns)


def test_a_source_without_known_at_is_told_apart_as_before_there_was_such_a_thing() -> None:
    assert event_source().canonical() == ["event", "raw/transactions", "purchased_at", None, None]
    assert known_at("paid_at").canonical() == [*event_source().canonical(), ["known_at", "paid_at"]]
