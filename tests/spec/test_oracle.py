"""The oracle answers the examples as they are written, and what is said to hold a rule notices when the rule is broken.

That an example or a generated world is *about* a rule is a claim of whoever wrote it. Here it is checked: each rule is
broken in the oracle, and the example must be answered otherwise then, the worlds must give other values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any, Final

import pytest

from feature_store import FeatureView
from feature_store.oracle.point_in_time import Partition, read_view
from feature_store.oracle.snapshots import Snapshot, snapshot
from feature_store.oracle.streams import StreamHistory
from feature_store.oracle.tables import table_snapshot
from feature_store.status import Status
from tests.spec import held, runners
from tests.spec.broken import BREAKS, Break
from tests.spec.checks import generator
from tests.spec.comparing import assert_world, wanted_snapshot
from tests.spec.declarations import START
from tests.spec.examples import (
    AS_OF,
    AVAILABLE_AT,
    END,
    EVENT_EXAMPLES,
    KNOWN_EXAMPLES,
    STREAMED,
    SUBJECT,
    TABLE_EXAMPLES,
    Example,
    Rows,
    TableExample,
    answer_on,
    asked_of_streams,
)
from tests.spec.paths import point_in_time, requests, stream_offline
from tests.spec.paths.point_in_time import TrainingSet
from tests.spec.ranges import BOUGHT, DAILY, EVENT_RANGES, LIVE, TABLE_RANGES
from tests.spec.rules import RULES
from tests.spec.worlds import Range, Row, World, seeded

KEYS: Final = (0, *SUBJECT.values())
WORLDS: Final = 80
"""How many worlds of each view are looked at: as many as `make test` generates of fixed seeds."""


def named(example: Example | TableExample) -> str:
    return example.rule


def rows_of_one(example: Example | TableExample) -> list[Row]:
    return [{**row, "world": 0} for row in example.rows]


def of_events(example: Example) -> None:
    answered(runners.events().view, example)


def of_known(example: Example) -> None:
    answered(runners.known().view, example)


def answered(view: FeatureView, example: Example) -> None:
    rows = rows_of_one(example)
    partition = Partition(AS_OF, AS_OF, snapshot(view, rows, AS_OF), frozenset(view.fingerprints))
    found, _as_of = read_view(view, [partition], KEYS, runners.just_after(view))
    assert_answer(found, answer_on("online read", example), is_empty=example.is_empty)


def of_streams(example: Example) -> None:
    view, day = runners.live().view, timedelta(days=1)
    landed = {START + day * place: view.fingerprints for place in range((AS_OF - START) // day - 2)}
    history = StreamHistory(rows_of_one(example), landed, [(AS_OF - 3 * day, END)])
    for time, wanted in asked_of_streams(example).items():
        found, _as_of = read_view(view, history, KEYS, time)
        assert_answer(found, wanted, is_empty=example.is_empty)


def of_tables(example: TableExample) -> None:
    found = table_snapshot(Rows, rows_of_one(example), AS_OF, AVAILABLE_AT).get(KEYS)
    assert (found is None) == (example.answer is None)
    if found is not None:
        wanted = {"number": example.answer, **example.also}
        assert {name: found[name] for name in wanted} == wanted


def assert_answer(found: Mapping[str, tuple[Any, Status]], wanted: Mapping[str, Any], *, is_empty: bool) -> None:
    assert next(iter(found.values()))[1] == (Status.EMPTY if is_empty else Status.PRESENT)
    assert {name: found[name][0] for name in wanted} == wanted


ASKED: Final[Sequence[tuple[Callable[[Any], None], Example | TableExample]]] = [
    *((of_events, example) for example in EVENT_EXAMPLES),
    *((of_known, example) for example in KNOWN_EXAMPLES),
    *((of_streams, example) for example in STREAMED),
    *((of_tables, example) for example in TABLE_EXAMPLES),
]


@pytest.mark.parametrize(("ask", "example"), ASKED, ids=[f"{ask.__name__}-{each.rule}" for ask, each in ASKED])
def test_examples_are_answered_as_written_and_otherwise_where_their_rule_is_broken(
    ask: Callable[[Any], None], example: Example | TableExample
) -> None:
    ask(example)
    assert any(notices(each, lambda: ask(example)) for each in BREAKS if each.rule == example.rule)


def notices(broken: Break, check: Callable[[], None]) -> bool:
    """Whether a check fails where a rule is broken; what the broken oracle cannot compute at all counts too."""
    with broken.planted():
        try:
            check()
        except Exception:  # noqa: BLE001 - whatever goes wrong is noticed
            return True
    return False


@cache
def worlds(span: Range) -> list[tuple[World, datetime, Snapshot]]:
    """Return generated worlds with what the whole oracle says of them."""
    delay = timedelta(microseconds=span.view.available_after)
    generated = seeded(span, range(WORLDS), generator(span))
    return [
        (world, world.as_of + delay, wanted_snapshot(span.view, world.rows, world.as_of, world.as_of + delay))
        for world in generated
    ]


def snapshots_of(spans: Sequence[Range]) -> None:
    for span in spans:
        for world, available_at, whole in worlds(span):
            assert_world(span.view, whole, world, world.as_of, available_at)


@cache
def training_sets(build: Callable[..., TrainingSet], span: Range) -> list[TrainingSet]:
    """Return training sets from some stores, each with other holes."""
    return [build(span, seeded(span, range(store * 10, (store + 1) * 10)), Random(store)) for store in range(STORES)]


def compare(sets: Sequence[TrainingSet]) -> None:
    for each in sets:
        each.compare()


STORES: Final = 5
"""In how many stores, each of ten worlds, training sets are looked at."""

HELD: Final[Mapping[str, tuple[Sequence[str], Callable[[], None]]]] = {
    "events": (held.OF_EVENTS, lambda: snapshots_of(EVENT_RANGES)),
    "tables": (held.OF_TABLES, lambda: snapshots_of(TABLE_RANGES)),
    "reads": (held.OF_READS, lambda: compare(training_sets(point_in_time.build, DAILY))),
    "requests": (held.OF_REQUESTS, lambda: compare(training_sets(requests.build, BOUGHT))),
    "streams": (held.OF_STREAMS, lambda: compare(training_sets(stream_offline.build, LIVE))),
}
CLAIMS: Final = [(kind, rule) for kind, (rules, _check) in HELD.items() for rule in rules]


@pytest.mark.parametrize(("kind", "rule"), CLAIMS, ids=[f"{kind}-{rule}" for kind, rule in CLAIMS])
def test_generated_worlds_notice_where_a_rule_is_broken(kind: str, rule: str) -> None:
    _rules, check = HELD[kind]
    known_to_hold(kind)
    assert any(notices(each, check) for each in BREAKS if each.rule == rule)


@cache
def known_to_hold(kind: str) -> None:
    HELD[kind][1]()


def test_every_rule_can_be_broken() -> None:
    assert {rule.name for rule in RULES} == {each.rule for each in BREAKS}
