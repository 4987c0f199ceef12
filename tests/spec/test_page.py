"""The page is what the oracle and the tests say, and leaves no cell open."""

import ast

from tests.spec import page
from tests.spec.explained import EXPLAINED
from tests.spec.paths_of_rules import PATH_NAMES
from tests.spec.rules import OTHER_RULES, RULES


def test_the_page_is_up_to_date() -> None:
    assert page.PAGE.read_text() == page.text(), "run `python -m tests.spec.page`"


def test_every_rule_is_held_on_every_path_or_it_is_said_why_not() -> None:
    found = page.cells()
    assert [(rule.name, path) for rule in RULES for path in PATH_NAMES if (rule.name, path) not in found] == []


def test_marks_and_examples_name_rules_and_paths_that_exist() -> None:
    names = {rule.name for rule in RULES}
    for rule, path in [*page.marked(), *page.EXAMPLES, *EXPLAINED]:
        assert rule in names
        assert path in PATH_NAMES


def test_nothing_is_explained_away_that_is_held() -> None:
    assert EXPLAINED.keys() & {*page.marked(), *page.EXAMPLES} == set()


def test_tests_of_other_rules_exist() -> None:
    for rule in OTHER_RULES:
        for test in rule.tests:
            file, _, name = test.partition("::")
            functions = ast.walk(ast.parse((page.HERE.parent / file).read_text()))
            assert name in {each.name for each in functions if isinstance(each, ast.FunctionDef)}, test
