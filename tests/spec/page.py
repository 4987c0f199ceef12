"""Builds ``docs/specification.md`` from the oracle and from the tests that are marked with rules.

``python -m tests.spec.page`` writes it; ``test_page.py`` fails where it is not what would be written.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

from feature_store import oracle
from tests.spec.examples import (
    EVENT_CASES,
    EVENT_EXAMPLES,
    KNOWN_CASES,
    KNOWN_EXAMPLES,
    STREAM_CASES,
    STREAMED,
    TABLE_CASES,
    TABLE_EXAMPLES,
)
from tests.spec.explained import EXPLAINED
from tests.spec.paths_of_rules import PATH_NAMES, SNAPSHOT_PATHS
from tests.spec.rules import OTHER_RULES, RULES

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parent.parent / "docs" / "specification.md"

EXAMPLES: Final = {
    *((EVENT_EXAMPLES[world].rule, path) for path, world in EVENT_CASES),
    *((KNOWN_EXAMPLES[world].rule, path) for path, world in KNOWN_CASES),
    *((TABLE_EXAMPLES[world].rule, path) for path, world in TABLE_CASES),
    *((STREAMED[world].rule, path) for path, world in STREAM_CASES),
}
"""Rules and paths of the examples that assert something there."""
OWN_NAMES: Final = ("exactness", "reading")
"""Modules of tests that the table names; the others compare generated worlds."""
_WORLDS_OF: Final = {
    "tiles": "test_tiles.py",
    **dict.fromkeys(SNAPSHOT_PATHS, "test_snapshots.py"),
    "table view": "test_tables.py",
    "stream offline": "test_stream_offline.py",
    "stream online": "test_stream_online.py",
    "point-in-time join": "test_point_in_time.py",
    "online read": "test_online.py",
    "HTTP": "test_requests.py",
}


def marked() -> dict[tuple[str, str], list[str]]:
    """Return by rule and path the modules with tests that are marked with them: ``spec(path, *rules)``."""
    found: dict[tuple[str, str], list[str]] = {}
    for file in sorted(HERE.glob("test_*.py")):
        module = import_module(f"tests.spec.{file.stem}")
        tests = [test for name, test in vars(module).items() if name.startswith("test_") and inspect.isfunction(test)]
        for mark in (mark for held in (module, *tests) for mark in _marks(held) if mark.name == "spec"):
            path, *rules = mark.args
            for rule in rules:
                found.setdefault((rule, path), []).append(file.stem.removeprefix("test_"))
    return found


def _marks(marked: object) -> list[pytest.Mark]:
    marks = getattr(marked, "pytestmark", [])
    return [getattr(mark, "mark", mark) for mark in (marks if isinstance(marks, list) else [marks])]


def cells() -> dict[tuple[str, str], str]:
    """Return by rule and path what the table says: what holds the rule there, or why nothing does."""
    by_test, found = marked(), {}
    for rule in RULES:
        for path in PATH_NAMES:
            key = (rule.name, path)
            names = [*(["example"] if key in EXAMPLES else []), *map(_short, by_test.get(key, []))]
            if names:
                found[key] = " ".join(dict.fromkeys(names))
            elif key in EXPLAINED:
                found[key] = f"({_note(EXPLAINED[key])})"
    return found


def _short(name: str) -> str:
    return name if name in OWN_NAMES else "worlds"


def _note(reason: str) -> int:
    return list(dict.fromkeys(EXPLAINED.values())).index(reason) + 1


def text() -> str:
    """Return the page."""
    return "\n".join([*_head(), *_rules(), *_other_rules(), *_table()]) + "\n"


def _head() -> Iterator[str]:
    yield "# Specification"
    yield ""
    yield "<!-- Built by `python -m tests.spec.page` from feature_store/oracle and tests/spec: do not edit. -->"
    yield ""
    yield inspect.cleandoc(oracle.__doc__ or "")
    yield ""
    yield "Every rule stands here with the code that says it. Names that code uses and does not define are"
    yield "those of other rules, or stand in [feature_store/oracle](../feature_store/oracle). The table at the end"
    yield "shows which test enforces each rule on each path by which values come about."
    yield ""


def _rules() -> Iterator[str]:
    shown: set[str] = set()
    for rule in RULES:
        yield f"## {rule.name}"
        yield ""
        yield rule.says
        yield ""
        for part in rule.code:
            yield from _code(part, shown)


def _code(part: Callable[..., Any], shown: set[str]) -> Iterator[str]:
    module = part.__module__.rpartition(".")[2]
    where = f"[{module}.{part.__name__}](../feature_store/oracle/{module}.py)"
    if part.__qualname__ in shown:
        yield f"See {where} above."
        yield ""
        return
    shown.add(part.__qualname__)
    yield f"{where}: {_first_line(part)}"
    yield ""
    yield "```python"
    yield _without_docstring(part)
    yield "```"
    yield ""


def _first_line(part: Callable[..., Any]) -> str:
    return inspect.cleandoc(part.__doc__ or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def _without_docstring(part: Callable[..., Any]) -> str:
    source = textwrap.dedent(inspect.getsource(part))
    first = ast.parse(source).body[0].body[0]  # type: ignore[attr-defined]
    lines = source.splitlines()
    return "\n".join(lines[: first.lineno - 1] + lines[first.end_lineno :]).rstrip()


def _other_rules() -> Iterator[str]:
    yield "## Rules about what is written and refused"
    yield ""
    for rule in OTHER_RULES:
        yield f"**{rule.name}.** {rule.says} Held by:"
        yield ""
        for test in rule.tests:
            file, _, name = test.partition("::")
            yield f"- [{name}](../tests/{file})"
        yield ""


def _table() -> Iterator[str]:
    found, tests = cells(), "../tests/spec"
    yield "## Rules and paths"
    yield ""
    yield "What holds each rule on each path:"
    yield ""
    yield f"- *example*: a few rows and an answer written by hand, in [examples]({tests}/examples.py);"
    yield "- *worlds*: generated worlds, whose events lie around every bound, compared with the oracle: tests named by"
    yield "  the head of the column. `make test` runs some hundreds of worlds per path, `python -m tests.spec.run"
    yield "  --examples 20000` as many as are wanted;"
    yield f"- *exactness*: exact arithmetic on bad data, and overflow, in [test_exactness]({tests}/test_exactness.py);"
    yield f"- *reading*: every T around every bound, by hand, in [test_reading]({tests}/test_reading.py);"
    yield "- a number in brackets: the rule does not apply, for the reason below the table."
    yield ""
    yield f"That an example or the worlds are about a rule is checked: [test_oracle]({tests}/test_oracle.py)"
    yield "breaks the rule in the oracle, and each of them must notice."
    yield ""
    heads = [f"[{path}]({tests}/{_WORLDS_OF[path]})" for path in PATH_NAMES]
    yield f"| rule | {' | '.join(heads)} |"
    yield f"|---|{'---|' * len(PATH_NAMES)}"
    for rule in RULES:
        link = f"[{rule.name}](#{rule.name.replace('.', '')})"
        yield f"| {link} | {' | '.join(found.get((rule.name, path), '') for path in PATH_NAMES)} |"
    yield ""
    for number, reason in enumerate(dict.fromkeys(EXPLAINED.values()), 1):
        yield f"{number}. {reason[0].upper()}{reason[1:]}."


if __name__ == "__main__":
    PAGE.write_text(text())
