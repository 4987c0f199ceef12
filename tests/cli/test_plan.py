"""``features plan``: what an apply would change, what that costs, who is hit, and what is refused."""

import json
from dataclasses import replace

import pytest

from feature_assets.cli import declared
from feature_assets.project import Declarations, load_declarations
from feature_store import FeatureView

DECLARED = load_declarations()
SPEND = DECLARED.views["retail/household_spend/v1"]


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch):
    """Makes the project declare something else from now on."""

    def declare(changed: Declarations) -> None:
        monkeypatch.setattr(declared, "load_declarations", lambda: changed)

    return declare


def with_view(view: FeatureView) -> Declarations:
    return replace(DECLARED, views={**DECLARED.views, view.full_name: view})


def more_features() -> Declarations:
    """The view of spend with one more window of what it has."""
    again = replace(SPEND.feature("spend_7d"), name="spend_1w", fingerprint="1" * 16)
    return with_view(replace(SPEND, features=(*SPEND.features, again)))


def redefined() -> Declarations:
    units = replace(SPEND.feature("units_30d"), fingerprint="0" * 16, expression=None)
    return with_view(replace(SPEND, features=tuple(units if f.name == units.name else f for f in SPEND.features)))


def test_a_plan_records_nothing_and_after_an_apply_there_is_nothing_to_apply(features) -> None:
    first, again = features.json("plan"), features.json("plan")
    assert first == again
    assert {change["change"] for change in first["changes"]} == {"added"}
    assert len(first["changes"]) == len(features.json("apply")["changes"])
    planned = features.json("plan")
    assert (planned["changes"], planned["refused"], planned["costs"]) == ([], [], [])
    assert "nothing to apply" in features.text("plan")


def test_a_changed_meaning_is_refused_and_shown_beside_the_former_one(features, code) -> None:
    features.text("apply")
    code(redefined())
    exit_code, text, _ = features("plan")
    assert exit_code == 1
    name = "retail/household_spend/v1.units_30d"
    assert f"REFUSED {name}: means other values under the same version" in text
    assert "churn/v1" in next(line for line in text.splitlines() if line.startswith(name))
    exit_code, markdown, _ = features("plan", "--markdown")
    assert exit_code == 1
    assert "```diff\n- sum(" in markdown
    assert "| changed | feature | `retail/household_spend/v1.units_30d` | growth |" in markdown
    assert "churn/v1 (growth)" in markdown


def test_who_is_hit_is_named_with_services_models_and_teams(features, code) -> None:
    features.text("apply")
    code(redefined())
    _, out, _ = features("plan", "--json")
    (change,) = (each for each in json.loads(out)["changes"] if each["name"].endswith(".units_30d"))
    assert (change["services"], change["models"], change["owners"]) == (["churn/v1"], ["churn"], ["growth"])
    assert change["changes_values"]


def test_a_feature_that_there_is_already_is_said(features, code) -> None:
    features.text("apply")
    code(more_features())
    text = features.text("plan")
    assert "spend_1w is like retail/household_activity/v1.spend_15m of growth (same logic, other window)" in text


def test_the_cost_is_estimated_from_what_is_stored(filled, code) -> None:
    code(more_features())
    (cost,) = filled.json("plan")["costs"]
    assert (cost["view"], cost["partitions"], cost["seconds"]) == ("retail/household_spend/v1", 4, None)
    assert cost["rows"] > 4 * 50
    assert cost["size"] > 1000
    assert "no run tells" in filled.text("plan")


def test_the_cost_of_a_new_version_follows_from_the_former_one(filled, code, monkeypatch) -> None:
    monkeypatch.setenv("FEATURES_NOW", "2018-01-02T12:00:00+00:00")
    code(with_view(replace(SPEND, version=2)))
    (cost,) = filled.json("plan")["costs"]
    assert cost["view"] == "retail/household_spend/v2"
    assert cost["partitions"] > 100
    assert cost["rows"] > 50 * cost["partitions"]


def test_what_is_stored_otherwise_is_refused_though_the_catalog_is_new(filled, code, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FEATURES_CATALOG", f"sqlite:///{tmp_path}/new.db")
    code(redefined())
    exit_code, text, _ = filled("plan")
    assert exit_code == 1
    assert "REFUSED retail/household_spend/v1: retail/household_spend/v1.units_30d is stored as" in text


def test_whoever_reads_what_is_deprecated_is_named(features, code) -> None:
    week = replace(SPEND.feature("spend_7d"), deprecated="2027-01-31, use spend_30d")
    view = replace(SPEND, features=tuple(week if f.name == week.name else f for f in SPEND.features))
    features.text("apply")
    code(with_view(view))
    told = "service churn/v1 (growth) reads retail/household_spend/v1.spend_7d, which is deprecated: 2027-01-31, use"
    assert told in features.text("plan")
    features.text("apply")
    assert told in features.json("plan")["notes"][0]
    assert features.json("show", "household_spend.spend_7d")["deprecated"] == "2027-01-31, use spend_30d"
