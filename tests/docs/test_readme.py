"""What the README shows works as it is written there."""

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from feature_assets.teams import TEAMS
from feature_store import (
    DefinitionError,
    FeatureView,
    Float64,
    Int64,
    TableSource,
    Timestamp,
    col,
    feature_view,
    field,
    ratio,
    stream_view,
    sum_,
)
from resources.settings import project_root

README = (project_root() / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def blocks(language: str, containing: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language and containing in text]


def declared_by(code: str, **names: Any) -> FeatureView:
    assert "growth" in TEAMS
    scope: dict[str, Any] = {"__name__": "readme", **names}
    exec(compile(code, "README.md", "exec"), scope)
    return next(value for value in scope.values() if isinstance(value, FeatureView))


def test_the_example_view_is_declared() -> None:
    (code,) = blocks("python", "class HouseholdSpend")
    view = declared_by(code)
    assert view.full_name == "retail/household_spend/v1"
    assert [feature.kind for feature in view] == [*["aggregate"] * 4, "derived", "on-read"]


def test_the_example_of_a_stream_is_declared() -> None:
    (code,) = blocks("python", "class HouseholdMoment")
    from feature_assets.entities import household
    from feature_assets.raw.sources import purchases

    names = {"stream_view": stream_view, "sum_": sum_, "ratio": ratio, "col": col}
    view = declared_by(code, **names, household=household, purchases=purchases)
    assert view.is_stream
    assert [feature.kind for feature in view] == [*["aggregate"] * 2, "derived"]


def test_a_table_made_elsewhere_becomes_a_view() -> None:
    (code,) = blocks("python", "class HouseholdScores")
    from feature_assets.entities import household

    names = {"UTC": UTC, "datetime": datetime, "TableSource": TableSource, "feature_view": feature_view, "field": field}
    types = {"Int64": Int64, "Timestamp": Timestamp, "Float64": Float64, "household": household}
    view = declared_by(code, **names, **types)
    assert view.is_table
    assert view.feature("affinity").logic == "affinity"


def test_the_message_of_a_promise_that_cannot_be_kept_is_the_one_shown() -> None:
    (code,) = blocks("python", "class HouseholdSpend")
    (message,) = blocks("text", "cannot be kept")
    with pytest.raises(DefinitionError) as raised:
        declared_by(code.replace('freshness="27h"', 'freshness="12h"'))
    assert str(raised.value).split() == message.split()


def test_imports_of_every_example_exist() -> None:
    lines = [line for _, code in BLOCKS for line in code.splitlines() if re.match(r"(from \S+ )?import ", line)]
    assert len(lines) >= 5
    for line in lines:
        exec(line, {})


def test_commands_exist() -> None:
    makefile = (project_root() / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE) or target == "help", target


def test_pictures_and_linked_pages_exist() -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", README)
    assert linked
    assert [link for link in linked if not (project_root() / Path(shlex.quote(link))).exists()] == []
