"""A key that a source holds under another name: the same values on every path as if its column were called like it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_assets.explain import explain
from feature_assets.generator.lineage import ViewColumns
from feature_assets.landing import land
from feature_assets.parity.engine import assert_sample_parity, check_engine
from feature_assets.parity.polars_engine import polars_engine
from feature_assets.parity.stored import check_stored
from feature_store import (
    Boolean,
    DefinitionError,
    Entity,
    EventSource,
    FeatureService,
    FeatureView,
    Float64,
    Int64,
    KafkaTopic,
    String,
    TableSource,
    Team,
    Timestamp,
    col,
    count,
    feature_view,
    field,
    last,
    n_unique,
    stream_view,
    sum_,
)
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import build_training_set
from feature_store.plans.compile_stream import compile_stream_plan
from serving.streams.events import event_tiles, read_events
from tests.fixtures.frames import START

Team("engine", slack_channel="#engine", email="engine@example.com")

AIRPORT = Entity("airport", {"airport": String, "carrier": Int64}, "An airline at an airport")
OPTIONS = {"entity": AIRPORT, "namespace": "flights", "version": 1, "owner": "engine"}
DELAY, AT = col("delay"), START + timedelta(days=3)


def columns_of(key: str) -> dict[str, Any]:
    return {
        "id": Int64,
        key: String,
        "carrier": Int64,
        "time": Timestamp,
        "sequence": Int64,
        "delay": Float64,
        "dest": String,
        "gone": Boolean,
    }


def events(key: str, **options: Any) -> EventSource:
    named = {} if key == "airport" else {"keys": {"airport": key, "plane": "dest"}}
    return EventSource(
        "flights",
        asset="raw/flights",
        event_time="time",
        sequence="sequence",
        columns=columns_of(key),
        start=START,
        description="Flights",
        **named,
        **options,
    )


def table(key: str) -> TableSource:
    named = {} if key == "airport" else {"keys": {"airport": key}}
    return TableSource(
        "states",
        asset="raw/flights",
        time="time",
        deleted="gone",
        columns=columns_of(key),
        start=START,
        description="States",
        **named,
    )


def over(window: str | None) -> dict[str, Any]:
    return {"description": "d"} if window is None else {"over": window, "description": "d"}


def aggregates(key: str, window: str | None, *, exact: bool = True) -> dict[str, Any]:
    found = {
        "flights": count(**over(window)),
        "delay": sum_(DELAY, **over(window)),
        "late": count(where=DELAY > 0, **over(window)),
        "newest": last(col("dest"), **over(window)),
        "named": last(col(key), where=col(key) != "JFK", **over(window)),
    }
    return found | ({"places": n_unique(col("dest"), **over(window))} if exact else {})


def body(features: dict[str, Any]) -> type:
    return type("Traffic", (), {"__doc__": "Flights.", **features})


def views(key: str) -> dict[str, FeatureView]:
    daily = {"cadence": "1d", "freshness": "2d", **OPTIONS}
    live = {"cadence": "1d", "batch_after": "0s", "available_after": "0s", "freshness": "1m", **OPTIONS}
    fields = {
        "delay": field(description="d"),
        "place": field(col(key), description="d"),
        "dest": field(default="?", description="d"),
    }
    return {
        "windows": feature_view(source=events(key), **daily)(body(aggregates(key, "2d"))),
        "event ids": feature_view(source=events(key, event_id="id"), **daily)(body(aggregates(key, "2d"))),
        "all history": feature_view(source=events(key), **daily)(body(aggregates(key, None))),
        "table": feature_view(source=table(key), **daily)(body(fields)),
        "stream": stream_view(source=events(key, stream=KafkaTopic("flights")), **live)(
            body(aggregates(key, "36h", exact=False))
        ),
    }


PLAIN, NAMED = views("airport"), views("origin")
CELLS = st.fixed_dictionaries(
    {
        "id": st.sampled_from([None, 1, 2, 3]),
        "origin": st.sampled_from([None, "JFK", "LGA", ""]),
        "carrier": st.sampled_from([None, 1, 2]),
        "time": st.integers(-1, 24 * 3).map(lambda hours: START + timedelta(hours=hours)),
        "sequence": st.sampled_from([None, 1, 2]),
        "delay": st.sampled_from([None, 1.5, -2.0, 0.0]),
        "dest": st.sampled_from([None, "SFO", "LAX"]),
        "gone": st.sampled_from([None, True, False]),
    }
)


def renamed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"airport" if name == "origin" else name: value for name, value in row.items()} for row in rows]


def frame_of(view: FeatureView, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, {name: polars_dtype(dtype) for name, dtype in view.source.columns.items()})


@pytest.mark.parametrize("kind", NAMED)
@given(rows=st.lists(CELLS, max_size=12))
@settings(max_examples=40)
def test_engine_and_oracle_give_the_values_of_a_column_called_like_the_key(kind: str, rows: list[dict]) -> None:
    found = polars_engine(NAMED[kind], frame_of(NAMED[kind], rows), AT)
    plain = renamed(rows)
    assert found == polars_engine(PLAIN[kind], frame_of(PLAIN[kind], plain), AT)
    parity = check_engine(NAMED[kind], rows, [AT])
    assert not parity.different, str(parity)


@pytest.mark.parametrize("kind", NAMED)
def test_made_up_rows_of_it_have_parity(kind: str) -> None:
    assert_sample_parity(NAMED[kind], seeds=[0])


def some_rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "origin": ["JFK", "LGA"][number % 2],
            "carrier": 1 + number % 3,
            "time": START + timedelta(hours=number),
            "sequence": number,
            "delay": float(number % 5),
            "dest": "SFO",
            "gone": False,
        }
        for number in range(count)
    ]


@pytest.mark.parametrize("kind", ["windows", "all history", "table"])
def test_stores_training_sets_explanations_and_parity_know_it(kind: str, tmp_path) -> None:
    view, store = NAMED[kind], OfflineStore(str(tmp_path))
    rows = some_rows(72)
    land(store, view.source, frame_of(view, rows), START, AT, run_id="r")
    if not view.is_table:
        compute_tiles(store, view, START, AT, "r")
    start = AT - timedelta(days=1)
    compute_values(store, view, START if view.has_all_history else start, AT, "r")
    wanted = polars_engine(view, frame_of(view, rows), AT)
    now = AT + timedelta(hours=1)

    spine = pl.DataFrame({"airport": ["JFK", "LGA", None], "carrier": [1, 2, 1], "time": [now] * 3})
    service = FeatureService("traffic", 1, "engine", "Traffic", [view.all()])
    trained = build_training_set(store, service, spine).frame.to_dicts()
    names = [feature.name for feature in view.stored_features]
    for row in trained[:2]:
        values = {name: row[f"traffic__{name}"] for name in names}
        assert values == wanted[row["airport"], row["carrier"]]

    parity = check_stored(store, view, None, now)
    assert parity.values
    assert not parity.different, str(parity)
    feature = view.feature("delay")
    text = str(explain(store, view, feature, {"airport": "JFK", "carrier": 1}, now, None))
    assert str(wanted["JFK", 1]["delay"]) in text


def test_a_stream_reads_events_by_it() -> None:
    rows = some_rows(9)
    found = []
    for view, own in ((NAMED["stream"], rows), (PLAIN["stream"], renamed(rows))):
        read, keyless, timeless = read_events(view, frame_of(view, own))
        states = compile_stream_plan(view, view.fingerprints).states
        tiles = event_tiles(view, states, read)
        assert (keyless, timeless) == (0, 0)
        counts = next(column for column in tiles.states if column.startswith("n_"))
        found.append((read.keys.rows(), read.encoded.to_list(), tiles.row.tolist(), tiles.start.tolist(), len(counts)))
    assert found[0] == found[1]


def test_the_name_of_the_column_is_in_the_fingerprint_of_what_it_keys() -> None:
    def of(**keys: str) -> str:
        source = EventSource(
            "flights", "raw/flights", "time", {**columns_of("origin")}, START, "F", keys={"airport": "origin", **keys}
        )
        made = feature_view(source=source, cadence="1d", freshness="2d", **OPTIONS)(body({"n": count(**over("2d"))}))
        return made.feature("n").fingerprint + made.tiles_fingerprint

    assert of() == of(plane="dest")
    assert of() != of(airport="dest")
    assert NAMED["windows"].fingerprints != PLAIN["windows"].fingerprints


def test_lineage_names_the_column() -> None:
    lineage = ViewColumns(NAMED["windows"]).lineage(NAMED["windows"].features)
    (dependency,) = lineage.deps_by_column["airport"]
    assert dependency.column_name == "origin"


WRONG = {
    "no column": ({"airport": "from"}, "source flights: keys['airport']='from' is not among its columns"),
    "no key type": ({"airport": "delay"}, "source flights: keys['airport']='delay' is of type Float64"),
    "a column too": ({"dest": "origin"}, "source flights: keys= names 'origin' as key 'dest', but there is a column"),
    "no name": ({"An airport": "origin"}, "source flights: 'An airport' is not a valid name"),
    "no mapping": (["origin"], "source flights: keys=['origin'] is of type list"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_names_of_keys_are_refused(name: str) -> None:
    keys, message = WRONG[name]
    start = datetime(2024, 1, 4, tzinfo=UTC)
    with pytest.raises(DefinitionError) as caught:
        EventSource("flights", "raw/flights", "time", columns_of("origin"), start, "F", keys=keys)
    assert str(caught.value).startswith(message)


def test_a_key_without_a_column_says_how_to_name_it() -> None:
    source = EventSource("flights", "raw/flights", "time", columns_of("origin"), START, "F")
    with pytest.raises(DefinitionError, match=r"keys=\{'airport': '...'\}"):
        feature_view(source=source, cadence="1d", freshness="2d", **OPTIONS)(body({"n": count(**over("2d"))}))
