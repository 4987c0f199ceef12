import importlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from feature_assets import teams
from feature_assets.project import declare_teams, load_declarations
from feature_assets.project.declarations import collect
from feature_assets.raw.feeds import FEEDS
from feature_assets.teams import TEAMS
from feature_assets.teams import __path__ as team_folders
from feature_store import DefinitionError, EventSource, Feature, FeatureService, FeatureView, feature_view, field
from feature_store.expressions.nodes import Expression, Operation, walk
from feature_store.model.kinds import KINDS
from feature_store.temporal.durations import DAY, HOUR

DECLARED = load_declarations()
VIEWS = DECLARED.views.values()
FEATURES = [feature for view in VIEWS for feature in view]


def expressions() -> Iterator[Expression]:
    for feature in FEATURES:
        if feature.expression is not None:
            yield feature.expression
        if feature.aggregation is not None:
            yield from feature.aggregation.expressions()


def test_there_is_enough_and_not_too_much():
    assert len(VIEWS) >= 8
    assert 60 <= len(FEATURES) <= 110
    assert {view.owner for view in VIEWS} == set(TEAMS) == {"growth", "merchandising", "stores"}
    assert {"churn/v1", "store_demand/v1"} <= set(DECLARED.services)


def test_a_stream_view_is_declared_with_tiles_of_several_levels():
    (view,) = (view for view in VIEWS if view.is_stream)
    assert len(view.levels) >= 4


@pytest.mark.parametrize("kind", ["count", "sum", "mean", "std", "min", "max", "first", "last", "n_unique"])
def test_everyday_aggregations_are_used_over_a_window_and_over_all_history(kind):
    windows = {f.aggregation.window is None for f in FEATURES if f.aggregation and f.aggregation.kind == kind}
    assert windows == {True, False}


def test_every_kind_of_aggregation_is_used():
    aggregations = [f.aggregation for f in FEATURES if f.aggregation]
    assert {aggregation.kind for aggregation in aggregations} == set(KINDS)
    assert any(aggregation.buckets for aggregation in aggregations if aggregation.kind == "count"), "a histogram"


def test_every_landed_source_is_read():
    assert {view.source.asset for view in VIEWS} == {feed.source.asset for feed in FEEDS}


def test_every_kind_of_expression_is_used():
    used = {node.name for tree in expressions() for node in walk(tree) if isinstance(node, Operation)}
    basic = "add multiply divide equal greater greater_equal not when fill_null lower contains is_in cast weekday hour"
    assert used >= {*basic.split(), "one_hot", "ordinal", "bucketise", "embed"}


def test_every_kind_of_feature_and_view_is_used():
    assert {feature.kind for feature in FEATURES} == {"aggregate", "field", "derived", "on-read"}
    assert {feature.on_read for feature in FEATURES} >= {"days_since", "hour_of_day", "day_of_week"}
    assert {view.cadence for view in VIEWS} == {HOUR, DAY}
    assert {len(view.keys) for view in VIEWS} == {1, 2}
    assert {view.is_table for view in VIEWS} == {True, False}
    assert any(f.aggregation and f.aggregation.where is not None for f in FEATURES)
    assert any(f.default is not None for f in FEATURES)
    assert any(f.freshness != view.freshness for view in VIEWS for f in view)
    assert any(view.ttl is not None for view in VIEWS)


def test_a_pass_through_view_only_names_columns():
    view = DECLARED.views["retail/household_campaign/v1"]
    assert [(f.name, f.logic) for f in view] == [("campaign_id", "campaign_id"), ("campaign_type", "campaign_type")]


def test_hourly_windows_fit_into_what_the_truncated_source_keeps():
    view = DECLARED.views["retail/store_pulse/v1"]
    assert isinstance(view.source, EventSource)
    assert view.source.truncated
    longest = max(window.over + window.hop for window in view.windows)
    assert (view.start - view.source.start).total_seconds() * 1_000_000 >= longest


def test_declarations_load_without_dagster_or_an_engine():
    code = (
        "import sys; from feature_assets.project import load_declarations; load_declarations(); "
        "print({'dagster', 'polars', 'deltalake', 'sklearn', 'redis'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_teams_are_found_by_their_folders():
    assert declare_teams("feature_assets.teams", team_folders) == TEAMS
    assert {team.name for team in TEAMS.values()} == set(TEAMS)


@pytest.fixture
def loyalty(tmp_path, monkeypatch):
    """A new team's folder, complete; a test takes something away from it."""
    folder = tmp_path / "loyalty"
    (folder / "features").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "team.py").write_text(
        "from feature_store import Team\nteam = Team('loyalty', slack_channel='#loyalty', email='a@example.com')\n"
    )
    (folder / "features" / "__init__.py").write_text("views = ()\n")
    (folder / "services.py").write_text("services = ()\n")
    monkeypatch.setattr(teams, "__path__", [*teams.__path__, str(tmp_path)])
    yield folder
    for name in [name for name in sys.modules if name.startswith("feature_assets.teams.loyalty")]:
        del sys.modules[name]
    monkeypatch.undo()
    importlib.invalidate_caches()


def test_a_new_team_is_a_folder(loyalty):
    found = declare_teams("feature_assets.teams", teams.__path__)
    assert list(found) == ["growth", "loyalty", "merchandising", "stores"]
    assert load_declarations() == replace(DECLARED, teams=found)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("team.py", None, "team loyalty: has no file feature_assets/teams/loyalty/team.py. Instead: write one that "),
        ("team.py", "", "feature_assets/teams/loyalty/team.py: defines no 'team'. Instead: write team = Team("),
        (
            "team.py",
            "from feature_store import Team\nteam = Team('other', slack_channel='#a', email='a@example.com')",
            "team loyalty: its folder and its team are called differently, 'loyalty' and 'other'. ",
        ),
        ("features/__init__.py", None, "team loyalty: has no file feature_assets/teams/loyalty/features/__init__.py."),
        ("features/__init__.py", "", "features/__init__.py: defines no 'views'. Instead: write views = (...)"),
        ("services.py", None, "team loyalty: has no file feature_assets/teams/loyalty/services.py. Instead: write one"),
        (
            "services.py",
            "",
            "feature_assets/teams/loyalty/services.py: defines no 'services'. Instead: write services = ",
        ),
    ],
)
def test_what_a_team_folder_lacks_is_named_and_the_others_are_there(loyalty, file, text, message):
    (loyalty / file).unlink()
    if text is not None:
        (loyalty / file).write_text(text)
    elif file.startswith("features"):
        (loyalty / "features").rmdir()
    found = load_declarations()
    assert [broken.team for broken in found.broken] == ["loyalty"]
    assert message in found.broken[0].problem
    assert (found.views, found.services) == (DECLARED.views, DECLARED.services)


def copy_of(view: FeatureView) -> FeatureView:
    @feature_view(
        entity=view.entity, source=view.source, namespace=view.namespace, name=view.name, version=view.version,
        owner=view.owner, cadence="1d", freshness="51h",
    )  # fmt: skip
    class Copy:
        """Called like another view."""

        campaign_id = field(description="The campaign")

    return Copy


CAMPAIGN = DECLARED.views["retail/household_campaign/v1"]


def service_of(view: FeatureView) -> FeatureService:
    return FeatureService("probe", version=1, owner="growth", description="A probe", features=[view.all()])


def test_two_views_of_one_name_are_refused():
    with pytest.raises(DefinitionError, match="retail/household_campaign/v1: is declared twice"):
        collect([CAMPAIGN, copy_of(CAMPAIGN)], [])


def test_two_services_of_one_name_are_refused():
    with pytest.raises(DefinitionError, match="service probe/v1: is declared twice"):
        collect([CAMPAIGN], [service_of(CAMPAIGN), service_of(CAMPAIGN)])


@pytest.mark.parametrize("views", [[], [CAMPAIGN]])
def test_a_service_of_a_view_that_nobody_lists_is_refused(views):
    other = copy_of(CAMPAIGN)
    with pytest.raises(DefinitionError, match="reads retail/household_campaign/v1, which no team lists"):
        collect(views, [service_of(other)])


def test_every_feature_is_documented_for_people():
    for feature in FEATURES:
        assert isinstance(feature, Feature)
        assert len(feature.description) >= 10
        assert not feature.description.endswith(".")
