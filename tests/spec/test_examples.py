"""Every rule by example, on every path that it is about: the answers are written down by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from feature_store.status import Status
from tests.spec import runners
from tests.spec.examples import AS_OF, EVENT_EXAMPLES, TABLE_EXAMPLES, Example, TableExample, numbered
from tests.spec.paths_of_rules import SNAPSHOT_PATHS

_ASKED: dict[str, Any] = {}
# A path answers all examples at once.


def answers(path: str, kind: str, valkey: str) -> Any:
    if (path, kind) not in _ASKED:
        _ASKED[path, kind] = ask(path, kind, valkey)
    return _ASKED[path, kind]


def ask(path: str, kind: str, valkey: str) -> Any:
    examples = EVENT_EXAMPLES if kind == "events" else TABLE_EXAMPLES
    span = runners.events() if kind == "events" else runners.TABLE
    if path == "tiles":
        return runners.tiles()
    if path == "table view":
        return runners.table_in_memory()
    if path == "stream offline":
        return runners.stream_trained()
    if path == "stream online":
        return runners.stream_served(valkey)
    if path == "point-in-time join":
        return runners.trained(span, numbered(examples), len(examples))
    if path == "online read":
        return runners.served(valkey, span, numbered(examples), len(examples))
    return runners.stored(span, numbered(examples), runners.BACKFILLS[path])


def is_named(example: Example | TableExample) -> str:
    return example.rule


@pytest.mark.parametrize("path", ["tiles", *SNAPSHOT_PATHS, "point-in-time join", "online read"])
@pytest.mark.parametrize("world", range(len(EVENT_EXAMPLES)), ids=lambda world: EVENT_EXAMPLES[world].rule)
def test_events(path: str, world: int, valkey_server: str) -> None:
    example = EVENT_EXAMPLES[world]
    assert_answer(answers(path, "events", valkey_server)[world], example, example.answer)


@pytest.mark.parametrize("path", ["table view", *SNAPSHOT_PATHS, "point-in-time join", "online read"])
@pytest.mark.parametrize("world", range(len(TABLE_EXAMPLES)), ids=lambda world: TABLE_EXAMPLES[world].rule)
def test_tables(path: str, world: int, valkey_server: str) -> None:
    example = TABLE_EXAMPLES[world]
    row = answers(path, "tables", valkey_server)[world]
    assert row["status"] == (Status.EMPTY if example.answer is None else Status.PRESENT)
    if example.answer is not None:
        assert {name: row[name] for name in ("number", *example.also)} == {"number": example.answer, **example.also}


@pytest.mark.parametrize("path", ["stream offline", "stream online"])
@pytest.mark.parametrize("world", range(len(runners.STREAMED)), ids=lambda world: runners.STREAMED[world].rule)
def test_streams(path: str, world: int, valkey_server: str) -> None:
    example = runners.STREAMED[world]
    asked: dict[datetime, dict] = {AS_OF: example.answer} if example.answer else {}
    for time, wanted in {**asked, **example.at}.items():
        assert_answer(answers(path, "streams", valkey_server)[time][world], example, wanted)


def assert_answer(row: dict, example: Example, wanted: dict) -> None:
    assert row["status"] == (Status.EMPTY if example.is_empty else Status.PRESENT)
    assert {name: row[name] for name in wanted} == wanted
