"""The strict ``<`` between available-at and T: at its boundaries, for whatever is compared, and in one place only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.temporal.availability import count_usable, first_use, is_expired, is_usable, latest_available_at
from resources.settings import project_root

INSTANT = datetime(2024, 3, 10, 2, tzinfo=UTC)
TICK = timedelta(microseconds=1)

instants = st.integers(-(2**40), 2**40)


@pytest.mark.parametrize(("time", "usable"), [(INSTANT - TICK, False), (INSTANT, False), (INSTANT + TICK, True)])
def test_a_value_is_usable_strictly_after_its_available_at(time: datetime, usable: bool) -> None:
    assert is_usable(INSTANT, time) == usable
    rows = pl.DataFrame({"available_at": [INSTANT]}).filter(is_usable(pl.col("available_at"), time))
    assert rows.height == usable


@pytest.mark.parametrize(("age", "expired"), [(timedelta(days=3), False), (timedelta(days=3) + TICK, True)])
def test_a_value_expires_strictly_after_its_ttl(age: timedelta, expired: bool) -> None:
    assert is_expired(INSTANT, INSTANT + age, timedelta(days=3)) == expired
    assert not is_expired(INSTANT, INSTANT + age, None)


@given(st.lists(instants, max_size=8), st.lists(instants, max_size=8))
def test_what_is_counted_at_once_is_what_is_usable_one_by_one(available: list[int], extra: list[int]) -> None:
    times = [*extra, *available, *(at + 1 for at in available)]
    counted = count_usable(np.sort(np.array(available, np.int64)), np.array(times, np.int64))
    assert counted.tolist() == [sum(is_usable(at, time) for at in available) for time in times]


@given(instants)
def test_the_first_use_is_the_first_instant_that_is_usable(at: int) -> None:
    assert is_usable(at, first_use(at))
    assert not is_usable(at, first_use(at) - 1)
    assert latest_available_at(first_use(at)) == at


NAMES = {"available_at", "usable_from", "ttl"}
ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
ELSEWHERE = {
    # Rows that landed by the available-at are part of the partition: another rule, in which the bound counts.
    ("feature_store/engines/polars/tables.py", "landed_at"),
    # Whether a generation became available later than a stream does: two spans, no T.
    ("serving/read/stream_decoder.py", "plan.lag"),
    # Whether a partition was written again after it could be used: it landed late, whatever T.
    ("feature_assets/late_knowledge.py", "landed_at"),
    # Two spans of a declaration, no T.
    ("feature_store/declare/compile_view.py", "view.ttl < freshness"),
    # When in a day what is usable changes: nothing is chosen by it.
    ("feature_store/offline/training/day_inputs.py", "start"),
}


def comparisons(file: Path) -> Iterator[tuple[int, str]]:
    """Yield where a file orders an available-at, or holds something against a TTL: the line, and its text."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Compare) and any(isinstance(op, ORDER) for op in node.ops) and names_in(node) & NAMES:
            yield node.lineno, ast.unparse(node)


def names_in(node: ast.AST) -> set[str]:
    found: set[str] = set()
    for each in ast.walk(node):
        match each:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
                found.add(name.lstrip("_"))
            case _:
                pass
    return found


def test_nobody_else_spells_the_comparison() -> None:
    root = project_root()
    spelled = [
        f"{path}:{line}: {text}"
        for package in ("feature_store", "serving", "resources", "feature_assets", "sensors")
        for file in sorted((root / package).rglob("*.py"))
        for path in [file.relative_to(root).as_posix()]
        if not path.startswith("feature_store/oracle/") and path != "feature_store/temporal/availability.py"
        for line, text in comparisons(file)
        if not any(path == where and part in text for where, part in ELSEWHERE)
    ]
    assert spelled == []


@pytest.mark.parametrize(
    "text",
    ["rows.filter(pl.col('available_at') <= now)", "a if g.available_at < t else b", "t - as_of > self._ttl"],
)
def test_a_comparison_that_is_spelled_anew_is_noticed(tmp_path: Path, text: str) -> None:
    file = tmp_path / "planted.py"
    file.write_text(text)
    assert len(list(comparisons(file))) == 1
