"""Builds ``docs/specification.md`` from the oracle and from the tests that are marked with rules.

``python -m tests.spec.page`` writes it; ``test_page.py`` fails where it is not what would be written.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from feature_store import oracle
from tests.spec.examples import EVENT_EXAMPLES, TABLE_EXAMPLES
from tests.spec.paths_of_rules import PATH_NAMES, SNAPSHOT_PATHS
from tests.spec.rules import EXPLAINED, RULES
from tests.spec.runners import STREAMED

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parent.parent / "docs" / "specification.md"

_BOTH: Final = (*SNAPSHOT_PATHS, "point-in-time join", "online read")
_EXAMPLES: Final = {
    **{(example.rule, path): "example" for example in EVENT_EXAMPLES for path in ("tiles", *_BOTH)},
    **{(example.rule, path): "example" for example in TABLE_EXAMPLES for path in ("table view", *_BOTH)},
    **{(example.rule, path): "example" for example in STREAMED for path in ("stream offline", "stream online")},
}


def marked() -> dict[tuple[str, str], str]:
    """Return by rule and path the file of the first test that is marked with them: ``spec(path, *rules)``."""
    found: dict[tuple[str, str], str] = {}
    for file in sorted(HERE.glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                for path, *rules in _marks(node):
                    found |= {(rule, path): file.name for rule in rules if (rule, path) not in found}
    return found


def _marks(function: ast.FunctionDef) -> Iterator[list[str]]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.spec":
            yield [ast.literal_eval(argument) for argument in decorator.args]


def cells() -> dict[tuple[str, str], str]:
    """Return by rule and path what the table says: links to tests, or why there is none."""
    by_test, found = marked(), {}
    for rule in RULES:
        for path in PATH_NAMES:
            key = (rule.name, path)
            links = ["[example](../tests/spec/test_examples.py)"] if key in _EXAMPLES else []
            links += [f"[{by_test[key][5:-3]}](../tests/spec/{by_test[key]})"] if key in by_test else []
            if links:
                found[key] = ", ".join(links)
            elif key in EXPLAINED:
                found[key] = f"not applicable ({_note(EXPLAINED[key])})"
    return found


def _note(reason: str) -> int:
    return list(dict.fromkeys(EXPLAINED.values())).index(reason) + 1


def text() -> str:
    """Return the page."""
    return "\n".join([*_head(), *_rules(), *_table()]) + "\n"


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


def _table() -> Iterator[str]:
    found = cells()
    yield "## Rules and paths"
    yield ""
    yield "*example*: a few rows and an answer written by hand. Other names: tests that compare generated worlds, whose"
    yield "events lie around every bound, with the oracle. `make test` runs them on some hundreds of worlds per path;"
    yield "`python -m tests.spec.run --examples 20000` on as many as are wanted."
    yield ""
    yield f"| rule | {' | '.join(PATH_NAMES)} |"
    yield f"|---|{'---|' * len(PATH_NAMES)}"
    for rule in RULES:
        yield f"| {rule.name} | {' | '.join(found.get((rule.name, path), '') for path in PATH_NAMES)} |"
    yield ""
    for number, reason in enumerate(dict.fromkeys(EXPLAINED.values()), 1):
        yield f"{number}. {reason[0].upper()}{reason[1:]}."


if __name__ == "__main__":
    PAGE.write_text(text())
