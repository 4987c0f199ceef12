from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feature_assets.cli import applying
from feature_assets.cli.applying import refuse_redefined
from feature_assets.project import Declarations, load_declarations
from feature_assets.project.recorded import (
    ApplyOptions,
    apply_declarations,
    definitions_by_team,
    newest_revision,
    opened_catalog,
)
from feature_store import FeatureService, FeatureView, Float64, RequestInput, request, request_feature
from feature_store.catalog.apply import RefusedError
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import FingerprintError
from feature_store.plans.plan_revisions import current_plans, read_plans
from resources.settings import Settings

DECLARED = load_declarations()
CHURN = DECLARED.services["churn/v1"]
SPEND = DECLARED.views["retail/household_spend/v1"]
LESS = replace(SPEND, features=SPEND.features[:-1])


@pytest.fixture
def settings(features, tmp_path: Path) -> Settings:
    return Settings.from_environment()


def only(*services: FeatureService, view: FeatureView = SPEND) -> Declarations:
    """All views, one of them perhaps another one, and some services."""
    return Declarations({**DECLARED.views, view.full_name: view}, {service.full_name: service for service in services})


def probe(*names: str, readers: tuple[str, ...] = (), view: FeatureView = SPEND) -> FeatureService:
    return FeatureService("probe", 1, "growth", "A probe", [view[names]], readers)


def applied(settings: Settings, declarations: Declarations, **options: object) -> dict[str, tuple[str, ...]]:
    """What was recorded: by the name of what changed, the action and its fields."""
    done = apply_declarations(settings, declarations, ApplyOptions(**options))
    return {change.name: (change.action, *change.fields) for change in done.changes}


def redefined(name: str) -> FeatureView:
    """The view of spend with a feature that means something else."""
    features = (replace(f, fingerprint="0" * 16) if f.name == name else f for f in SPEND.features)
    return replace(SPEND, features=tuple(features))


def test_every_service_gets_a_plan_and_applying_again_changes_nothing(features, settings):
    first = features.json("apply")
    assert {change["change"] for change in first["changes"]} == {"added"}
    assert read_plans(settings.plans) == {name: compile_plan(service) for name, service in DECLARED.services.items()}
    files = {path: path.stat().st_mtime_ns for path in Path(first["plans"]).iterdir()}
    again = features.json("apply")
    assert (again["changes"], again["revision"], again["plans"]) == ([], first["revision"], first["plans"])
    assert {path: path.stat().st_mtime_ns for path in Path(first["plans"]).iterdir()} == files
    assert features.text("apply").startswith("Nothing changed.\n")


def test_who_applied_and_when_is_recorded_for_each_team(features, settings, monkeypatch):
    monkeypatch.setenv("FEATURES_USER", "ada")
    monkeypatch.setenv("FEATURES_NOW", "2026-11-01T12:00:00+00:00")
    features.text("apply")
    with opened_catalog(settings) as catalog:
        revisions = [(each.team, each.applied_by, each.applied_at.isoformat()) for each in catalog.revisions()]
    assert revisions[::-1] == [(team, "ada", "2026-11-01T12:00:00+00:00") for team in sorted(DECLARED.teams)]


def test_what_changed_is_said(settings):
    apply_declarations(settings, only())
    assert applied(settings, only(probe("spend_7d", "spend_30d"))) == {"probe/v1": ("added",)}
    more = probe("spend_7d", "spend_30d", "spend_90d", readers=("stores",))
    changed = applied(settings, only(more))["probe/v1"]
    assert (changed[0], set(changed[1:])) == ("changed", {"readers", "outputs", "plan"})


@pytest.mark.parametrize("changed", [("spend_7d",), ("spend_90d", "spend_7d", "spend_30d"), ("spend_30d", "spend_7d")])
def test_an_output_that_a_service_loses_or_moves_without_a_new_version_is_refused(settings, changed):
    """W6."""
    apply_declarations(settings, only(probe("spend_7d", "spend_30d")))
    kept = read_plans(settings.plans)
    with pytest.raises(RefusedError, match=r"probe/v1: (no longer gives household_spend__|gives )"):
        apply_declarations(settings, only(CHURN, probe(*changed)))
    assert read_plans(settings.plans) == kept
    assert applied(settings, only(probe(*changed)), allow_redefined=True)


def test_a_feature_changed_without_a_new_version_is_refused_though_no_service_reads_it(filled, small_store):
    """W5."""
    view = next(view for view in DECLARED.views.values() if view.full_name == "retail/household_campaign/v1")
    changed = replace(view.stored_features[0], fingerprint="0" * 16)
    other = replace(view, features=(changed, *(f for f in view.features if f.name != changed.name)))
    refuse_redefined(Settings.from_environment(), [view])
    with pytest.raises(FingerprintError, match=rf"household_campaign/v1\.{changed.name} is stored as"):
        refuse_redefined(Settings.from_environment(), [other])


def test_dropping_a_feature_that_is_declared_or_not_stored_says_so(filled):
    assert "is declared: remove it from the view, then drop it" in filled.refused("drop", "household_spend.spend_7d")
    assert "stores no feature 'spent'" in filled.refused("drop", "household_spend.spent")
    assert "names no feature" in filled.refused("drop", "spent")


def test_an_undeclared_service_is_named_and_served_until_it_is_retired(features, settings):
    features.text("apply")
    apply_declarations(settings, replace(DECLARED, services={**DECLARED.services, "probe/v1": probe("spend_7d")}))
    assert features.json("apply")["undeclared"] == ["probe/v1"]
    assert "probe/v1 is declared no more and is still served: --retire probe/v1 ends that" in features.text("apply")
    assert "probe/v1" in read_plans(settings.plans)
    retired = features.json("apply", "--retire", "probe/v1")
    assert [(change["change"], change["name"]) for change in retired["changes"]] == [("removed", "probe/v1")]
    assert set(read_plans(settings.plans)) == set(DECLARED.services)


def test_a_feature_that_changed_without_a_new_version_is_refused_and_nothing_is_recorded(settings):
    apply_declarations(settings, only(probe("spend_7d")))
    other = redefined("spend_7d")
    with pytest.raises(RefusedError, match=r"household_spend/v1\.spend_7d: means other values under the same version"):
        apply_declarations(settings, only(CHURN, probe("spend_7d", view=other), view=other))
    assert set(read_plans(settings.plans)) == {"probe/v1"}
    accepted = applied(settings, only(probe("spend_7d", view=other), view=other), allow_redefined=True)
    assert accepted["retail/household_spend/v1.spend_7d"] == ("changed", "fingerprint")


def test_a_feature_renamed_and_changed_at_once_is_refused(settings):
    week = SPEND.feature("spend_7d")
    former = replace(SPEND, features=(replace(week, name="week"),))
    changed = replace(SPEND, features=(replace(week, fingerprint="0" * 16, renamed_from="week"),))
    apply_declarations(settings, only(view=former))
    with pytest.raises(RefusedError, match=r"v1\.spend_7d: is renamed and changed at once"):
        apply_declarations(settings, only(view=changed))
    renamed = replace(SPEND, features=(replace(week, renamed_from="week"),))
    assert applied(settings, only(view=renamed))["retail/household_spend/v1.spend_7d"][0] == "renamed"


def test_an_apply_of_another_since_the_plan_is_a_conflict(features, settings):
    revision = features.json("apply")["revision"]
    with_another = replace(DECLARED, services={**DECLARED.services, "probe/v1": probe("spend_7d")})
    apply_declarations(settings, with_another)
    assert features.json("apply", "--planned-at", revision)["changes"] == []  # nothing of theirs would be replaced
    apply_declarations(settings, only(view=LESS), ApplyOptions(retire=[*DECLARED.services, "probe/v1"]))
    assert "applied revision" in features.refused("apply", "--planned-at", revision)
    assert features.json("apply", "--planned-at", newest_revision(settings))["changes"]


def test_damaged_plans_are_written_again(features, settings):
    applied = features.json("apply")
    path = Path(applied["plans"]) / "churn.v1.json"
    text = path.read_text()
    path.write_text("{")
    (path.parent / "stray.json").write_text("{}")
    (settings.plans / "current.json").write_text("nonsense")
    assert features.json("plans", "sync") == {"revision": applied["revision"], "plans": applied["plans"]}
    assert (path.read_text(), current_plans(settings.plans).revision) == (text, applied["revision"])
    assert not (path.parent / "stray.json").exists()


def test_the_plans_of_an_apply_that_died_after_its_commit_follow_with_the_next(features, settings):
    with opened_catalog(settings) as catalog:
        catalog.apply(definitions_by_team(DECLARED), by="ada", now=datetime(2026, 11, 1, tzinfo=UTC))
    assert read_plans(settings.plans) == {}
    assert features.json("apply")["changes"] == []
    assert set(read_plans(settings.plans)) == set(DECLARED.services)


def test_a_lost_catalog_comes_back_from_the_code(features, settings):
    features.text("apply")
    with opened_catalog(settings) as catalog:
        before = catalog.definitions()
    Path(settings.catalog_url.removeprefix("sqlite:///")).unlink()
    features.text("apply")
    with opened_catalog(settings) as catalog:
        assert catalog.definitions() == before


def test_plans_of_another_catalog_are_not_replaced(features, settings):
    features.text("apply")
    Path(settings.catalog_url.removeprefix("sqlite:///")).unlink()
    (settings.plans / "current.json").write_text('{"revision": 99}')
    assert "holds plans of revision 99, but the catalog is at 3" in features.refused("apply")


def test_a_place_where_plans_cannot_be_written_is_one_line(features, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FEATURES_PLANS", str(tmp_path / "file" / "plans"))
    assert "file/plans: plans cannot be written there (Not a directory)" in features.refused("apply")


def offer(factor: int = 2, **inputs: object) -> FeatureService:
    twice = request_feature("twice", request("amount") * factor, description="Twice the amount")
    given = {"amount": Float64, **inputs}
    more = [request_feature(f"of_{name}", request(name) + 1, description="More") for name in inputs]
    return FeatureService("probe", 1, "growth", "A probe", [SPEND["spend_7d"], twice, *more], inputs=given)


def test_an_input_may_be_added_with_a_default_only(settings):
    apply_declarations(settings, only(offer()))
    assert applied(settings, only(offer(extra=RequestInput(Float64, default=1))))["probe/v1"][0] == "changed"
    for changed in (offer(extra=Float64), offer(extra=RequestInput(Float64, default=2)), offer(), offer(other=Float64)):
        with pytest.raises(RefusedError, match=r"takes otherwise extra|no longer gives of_extra"):
            apply_declarations(settings, only(changed))


def test_a_request_feature_changed_without_a_new_version_is_refused(settings):
    apply_declarations(settings, only(offer()))
    with pytest.raises(RefusedError, match=r"gives other features under the same version: twice"):
        apply_declarations(settings, only(offer(factor=3)))


def test_one_team_is_applied_alone_and_an_unknown_one_is_named(features, settings):
    planned = features.json("plan", "--team", "stores")
    assert {change["team"] for change in planned["changes"]} == {"stores"}
    done = features.json("apply", "--team", "stores")
    assert [change["name"] for change in done["changes"]] == [change["name"] for change in planned["changes"]]
    with opened_catalog(settings) as catalog:
        assert {each.owner for each in catalog.definitions()} == {"stores"}
    assert "the project has no team 'store': there are" in features.refused("apply", "--team", "store")
    assert features.json("apply")["changes"]


def test_what_somebody_applies_while_code_is_imported_is_a_conflict_that_shows_it(features, settings, monkeypatch):
    """Another checkout that declares a feature less, applied between the start of a command and its transaction."""
    features.json("apply")

    def importing() -> Declarations:
        monkeypatch.setattr(applying, "declared", lambda: DECLARED)
        apply_declarations(settings, only(view=LESS), ApplyOptions(retire=tuple(DECLARED.services)))
        return DECLARED

    monkeypatch.setattr(applying, "declared", importing)
    name = f"{SPEND.full_name}.{SPEND.features[-1].name}"
    assert f"removed feature {name}" in features.refused("apply")
    assert name in {change["name"] for change in features.json("apply")["changes"]}
