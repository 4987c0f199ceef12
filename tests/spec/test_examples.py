"""Every rule by example, on every path that it is about: the answers are written down by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from feature_store.status import Status
from tests.spec import runners
from tests.spec.examples import (
    EVENT_CASES,
    EVENT_EXAMPLES,
    KNOWN_CASES,
    KNOWN_EXAMPLES,
    STREAM_CASES,
    STREAMED,
    TABLE_CASES,
    TABLE_EXAMPLES,
    Example,
    TableExample,
    answer_on,
    asked_of_streams,
    numbered,
)
from tests.spec.worlds import Range

_ASKED: dict[str, Any] = {}
# A path answers all examples at once.


def answers(path: str, kind: str, valkey: str) -> Any:
    if (path, kind) not in _ASKED:
        _ASKED[path, kind] = ask(path, kind, valkey)
    return _ASKED[path, kind]


def ask(path: str, kind: str, valkey: str) -> Any:
    if kind == "streams":
        asked = (runners.live(), numbered(STREAMED), len(STREAMED), runners.stream_times())
        return runners.stream_trained(*asked) if path == "stream offline" else runners.stream_served(valkey, *asked)
    examples, span = of_kind(kind)
    if path == "tiles":
        return runners.tiles(span, numbered(examples))
    if path == "table view":
        return runners.table_in_memory()
    if path == "point-in-time join":
        return runners.trained(span, numbered(examples), len(examples))
    if path == "online read":
        return runners.served(valkey, span, numbered(examples), len(examples))
    return runners.stored(span, numbered(examples), runners.BACKFILLS[path])


def of_kind(kind: str) -> tuple[Sequence[Example | TableExample], Range]:
    if kind == "events":
        return EVENT_EXAMPLES, runners.events()
    return (KNOWN_EXAMPLES, runners.known()) if kind == "known" else (TABLE_EXAMPLES, runners.TABLE)


def named(examples: Sequence[Example | TableExample], cases: Sequence[tuple[str, int]]) -> list[Any]:
    return [pytest.param(path, world, id=f"{examples[world].rule}-{path}") for path, world in cases]


@pytest.mark.parametrize(("path", "world"), named(EVENT_EXAMPLES, EVENT_CASES))
def test_events(path: str, world: int, valkey_server: str) -> None:
    example = EVENT_EXAMPLES[world]
    assert_answer(answers(path, "events", valkey_server)[world], example, answer_on(path, example))


@pytest.mark.parametrize(("path", "world"), named(KNOWN_EXAMPLES, KNOWN_CASES))
def test_events_that_are_known_later(path: str, world: int, valkey_server: str) -> None:
    example = KNOWN_EXAMPLES[world]
    assert_answer(answers(path, "known", valkey_server)[world], example, answer_on(path, example))


@pytest.mark.parametrize(("path", "world"), named(TABLE_EXAMPLES, TABLE_CASES))
def test_tables(path: str, world: int, valkey_server: str) -> None:
    example = TABLE_EXAMPLES[world]
    row = answers(path, "tables", valkey_server)[world]
    assert row["status"] == (Status.EMPTY if example.answer is None else Status.PRESENT)
    if example.answer is not None:
        assert {name: row[name] for name in ("number", *example.also)} == {"number": example.answer, **example.also}


@pytest.mark.parametrize(("path", "world"), named(STREAMED, STREAM_CASES))
def test_streams(path: str, world: int, valkey_server: str) -> None:
    example = STREAMED[world]
    for time, wanted in asked_of_streams(example).items():
        assert_answer(answers(path, "streams", valkey_server)[time][world], example, wanted)


def assert_answer(row: Mapping[str, Any], example: Example, wanted: Mapping[str, Any]) -> None:
    assert row["status"] == (Status.EMPTY if example.is_empty else Status.PRESENT)
    assert {name: row[name] for name in wanted} == wanted
