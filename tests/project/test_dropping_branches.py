"""Branches go whole: when they are dropped, when they expired, and when a drop was interrupted."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from feature_assets.project.branches import drop_branch, drop_expired, list_branches
from feature_store.catalog.branches import LIFETIME, UnknownBranchError
from feature_store.catalog.store import Catalog
from feature_store.errors import InputError
from feature_store.offline.delta.commits import RETENTION
from feature_store.offline.delta.paths import branch_uri
from resources.branch import begin_branch, open_store
from resources.settings import Settings
from sensors.branches import expired_branches
from serving.stores.errors import StoreUnavailableError
from tests.catalog.declared import feature, view

NOW = datetime.now(UTC)
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def settings_of(tmp_path: Path, valkey: str) -> Callable[..., Settings]:
    """Gives the settings of a state folder of its own."""

    def settings(**others: str) -> Settings:
        return Settings.from_environment({"FEATURES_STATE": str(tmp_path), "FEATURES_ONLINE_URL": valkey, **others})

    return settings


def begin(settings: Settings, name: str, age: timedelta = timedelta()) -> Path:
    """Begin a branch some time ago, and give it a file of its own offline."""
    with closing(Catalog(settings.catalog_url)) as catalog:
        catalog.begin_branch(name, by="x", now=NOW - age)
    file = Path(branch_uri(settings.offline_root, name)) / "some" / "file"
    file.parent.mkdir(parents=True)
    file.touch()
    return file


def names(settings: Settings) -> list[str]:
    return [each.name for each in list_branches(settings)]


def test_a_branch_expires_long_before_what_it_reads_of_production_is_deleted() -> None:
    assert timedelta(days=14) == LIFETIME
    assert LIFETIME * 2 < RETENTION


def test_what_expired_is_dropped_by_the_sensor_and_the_rest_stays(
    settings_of: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of()
    old, young = begin(settings, "old", LIFETIME), begin(settings, "young", LIFETIME - timedelta(hours=1))
    monkeypatch.setenv("FEATURES_STATE", str(settings.state))
    monkeypatch.setenv("FEATURES_ONLINE_URL", settings.online_url)
    monkeypatch.setenv("FEATURES_BRANCH", "young")
    told = [expired_branches(dg.build_sensor_context()), None, None]
    monkeypatch.delenv("FEATURES_BRANCH")
    for place in (1, 2):
        told[place] = expired_branches(dg.build_sensor_context())
    reasons = [each.skip_message for each in told if isinstance(each, dg.SkipReason)]
    assert reasons == ["this is a branch", "dropped old", "no branch has expired"]
    assert (old.exists(), young.exists(), names(settings)) == (False, True, ["young"])


def test_a_drop_that_was_interrupted_leaves_a_branch_that_nobody_reads_and_is_finished_by_the_next(
    settings_of: Callable[..., Settings],
) -> None:
    settings = settings_of()
    file, on_it = begin(settings, "late6"), settings_of(FEATURES_BRANCH="late6")
    with closing(Catalog(settings.catalog_url, "late6")) as catalog:
        open_store(on_it)
        catalog.note_view(view("retail/spend/v1", [feature("spend")]), by="x", now=NOW)
        with pytest.raises(StoreUnavailableError):
            drop_branch(settings_of(FEATURES_ONLINE_URL=NOWHERE), "late6")
        assert (file.exists(), names(settings)) == (True, ["late6"])
        for refused in (open_store, begin_branch):
            with pytest.raises(UnknownBranchError, match="run `features branch drop late6` again"):
                refused(on_it)
        with pytest.raises(UnknownBranchError, match="is being dropped"):
            catalog.apply({}, by="x", now=NOW)
    assert drop_expired(settings, NOW) == ["late6"]
    assert (file.exists(), names(settings)) == (False, [])


def test_a_branch_that_begins_anew_lies_elsewhere(settings_of: Callable[..., Settings]) -> None:
    settings, on_it = settings_of(), settings_of(FEATURES_BRANCH="late6")
    begin_branch(on_it)
    former = open_store(on_it).root
    drop_branch(settings, "late6")
    begin_branch(on_it)
    assert open_store(on_it).root != former
    begin_branch(on_it)
    assert names(settings) == ["late6"]


def test_a_branch_is_not_dropped_from_itself_and_an_unknown_one_is_named(settings_of: Callable[..., Settings]) -> None:
    settings = settings_of()
    begin(settings, "late6")
    with pytest.raises(InputError, match="this is branch late6: unset FEATURES_BRANCH"):
        drop_branch(settings_of(FEATURES_BRANCH="late6"), "late6")
    with pytest.raises(UnknownBranchError, match="there is no branch 'late7': there are late6"):
        drop_branch(settings, "late7")
    with pytest.raises(UnknownBranchError, match="there is no branch 'late7': there are late6"):
        open_store(settings_of(FEATURES_BRANCH="late7"))
    for name in ("Late", "feature/late", "-late", "x" * 64):
        with pytest.raises(InputError, match=r"FEATURES_BRANCH='.*' cannot be the name of a branch: use at most 63"):
            settings_of(FEATURES_BRANCH=name)
