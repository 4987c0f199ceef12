"""What the README shows works as it is written there, on a store that a small demo might have left."""

import re
import shlex
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import polars as pl
import pytest

from feature_assets.cli.app import run
from feature_assets.generator import build_feature_assets
from feature_assets.teams.growth.services import churn
from feature_assets.teams.stores import features as stores_features
from feature_store import DefinitionError, FeatureService, FeatureView
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import build_training_set, write_training_set
from feature_store.plans.service_plan import write_plan
from resources.offline import DeltaIOManager, OfflineStoreResource
from resources.online import OnlineStoreResource
from resources.settings import project_root
from serving.client import FeatureClient
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from tests.fixtures.small_store import END, SmallStore, small_store
from tests.fixtures.valkey import valkey, valkey_server
from tests.serving.server.test_http_server import start_server, stop_server

__all__ = ["small_store", "valkey", "valkey_server"]

README = (project_root() / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
NOW = datetime(2018, 1, 2, 6, tzinfo=UTC)
"""Of the small store."""


def block(language: str, containing: str) -> str:
    """The one block that contains a text, with the small store's present for now."""
    (text,) = (text for kind, text in BLOCKS if kind == language and containing in text)
    return text.replace("datetime.now(UTC)", f"datetime.fromisoformat({NOW.isoformat()!r})")


def run_block(code: str) -> dict[str, Any]:
    """Run a block by itself, as from a file of its own; return what it defines."""
    scope: dict[str, Any] = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec"), scope)
    return scope


def declared_by(code: str) -> FeatureView:
    return next(value for value in run_block(code).values() if isinstance(value, FeatureView))


@pytest.fixture
def settings(small_store: SmallStore, monkeypatch: pytest.MonkeyPatch) -> SmallStore:
    """The small store is that of the settings."""
    for name, value in small_store.environment.items():
        monkeypatch.setenv(name, value)
    return small_store


@pytest.fixture
def copied(small_store: SmallStore, tmp_path: Path) -> OfflineStore:
    """The raw rows of the small store, in a store that the test may write to."""
    shutil.copytree(f"{small_store.offline.root}/raw", tmp_path / "offline" / "raw")
    return OfflineStore(str(tmp_path / "offline"))


def test_the_example_view_is_computed_loaded_and_read(copied: OfflineStore, valkey: str, tmp_path: Path) -> None:
    view = declared_by(block("python", "class HouseholdMomentum"))
    assert view.full_name == "retail/household_momentum/v1"
    assert [feature.kind for feature in view] == [*["aggregate"] * 4, "derived", "on-read"]
    day = END - timedelta(days=1)
    compute_tiles(copied, view, END - timedelta(days=92), END, "readme")
    compute_values(copied, view, day, END, "readme")
    writer = open_loader(valkey)
    sync_view(copied, view, writer, NOW)
    writer.close()
    service = FeatureService("momentum", version=1, owner="growth", description="Of the README", features=[view.all()])
    write_plan(tmp_path / "plans", compile_plan(service))
    with FeatureClient(tmp_path / "plans", valkey) as client:
        (row,) = client.get_features("momentum", {"household_id": [900]}, time=NOW).to_dicts()
    assert row["household_momentum__spend_90d"] > 0
    assert row["household_momentum__days_since_last_purchase"] > 0


def test_where_the_example_view_goes_is_where_views_are() -> None:
    (folder,) = re.findall(r"# (feature_assets/\S+)/momentum\.py", README)
    package = (project_root() / folder / "__init__.py").read_text()
    assert "\nviews = (" in package
    assert f"`{folder}/__init__.py`" in README
    assert not (project_root() / folder / "momentum.py").exists()
    assert "HouseholdMomentum" not in package


def test_the_files_of_a_team_are_those_named() -> None:
    (sentence,) = re.findall(r"A new team is .*?`feature_assets/teams/stores`", README, re.DOTALL)
    team = Path(stores_features.__path__[0]).parent
    python = {str(path.relative_to(team)) for path in team.glob("*.py")} | {"features/__init__.py"}
    assert set(re.findall(r"`([^`]+\.py)`", sentence)) == python


def test_the_message_of_a_promise_that_cannot_be_kept_is_the_one_shown() -> None:
    code = block("python", "class HouseholdMomentum")
    with pytest.raises(DefinitionError) as raised:
        run_block(code.replace('freshness="27h"', 'freshness="12h"'))
    assert str(raised.value).split() == block("text", "cannot be kept").split()


def test_the_example_of_a_stream_is_declared() -> None:
    view = declared_by(block("python", "class HouseholdMoment:"))
    assert view.is_stream
    assert [feature.kind for feature in view] == [*["aggregate"] * 2, "derived"]


def test_a_table_made_elsewhere_becomes_a_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warehouse's rows land by the asset, and the view's values are theirs."""
    defined = run_block(block("python", "class HouseholdScores"))
    view: FeatureView = defined["HouseholdScores"]
    (tmp_path / "warehouse" / "household_scores").mkdir(parents=True)
    scored = datetime(2026, 1, 1, 9, tzinfo=UTC)
    rows = pl.DataFrame({"household_id": [900, 901], "scored_at": [scored] * 2, "affinity": [0.5, 0.25]})
    rows.write_parquet(tmp_path / "warehouse" / "household_scores" / "part.parquet")
    monkeypatch.chdir(tmp_path)
    offline = OfflineStoreResource(root=str(tmp_path / "offline"), team="growth")
    definitions = dg.Definitions.merge(
        build_feature_assets([view], []),
        dg.Definitions(
            assets=[defined["household_scores"]],
            resources={
                "offline_store": offline,
                "delta_io": DeltaIOManager(offline_store=offline),
                "online_store": OnlineStoreResource(url="redis://127.0.0.1:1/0"),  # nothing is loaded
            },
        ),
    )
    chosen = [defined["household_scores"].key, dg.AssetKey([*view.full_name.split("/"), "_table"])]
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(instance=instance, asset_selection=chosen, partition_key="2026-01-01").success
    values = offline.store.values(view).scan().collect()
    assert sorted(values.select("household_id", "affinity").rows()) == [(900, 0.5), (901, 0.25)]


def test_the_training_set_is_built_and_loaded(
    settings: SmallStore, copied: OfflineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEATURES_OFFLINE_ROOT", copied.root)
    shutil.copytree(f"{settings.offline.root}/views", f"{copied.root}/views")
    spine = pl.DataFrame({"household_id": [900], "time": [NOW - timedelta(days=2)]})
    write_training_set(copied, "churn/v1", build_training_set(copied, churn, spine), run_id="readme")
    defined = run_block(block("python", "build_training_set(store"))
    frame = defined["training"].frame
    assert frame.select("household_id", "left").rows() == [(900, False), (901, False), (902, True)]
    assert frame["household_spend__spend_90d"].null_count() == 0
    assert defined["days"].collect()["household_id"].to_list() == [900]


def test_vectors_are_read(settings: SmallStore) -> None:
    frame = run_block(block("python", "FeatureClient("))["frame"]
    assert frame["household_id"].to_list() == [900, 901]


def test_the_feature_server_answers_what_curl_sends(settings: SmallStore) -> None:
    command = shlex.split(block("console", "curl").removeprefix("$ "))
    assert command[:3] == ["curl", "-s", next(word for word in command if word.startswith("localhost:8080/"))]
    path, header = command[2].partition("/")[2], command[command.index("-H") + 1]
    plans = Path(settings.environment["FEATURES_STATE"]) / "plans"
    process, client = start_server(plans, settings.environment["FEATURES_ONLINE_URL"])
    try:
        name, _, value = header.partition(": ")
        answer = client.post(f"/{path}", content=command[command.index("-d") + 1], headers={name: value})
    finally:
        stop_server(process, client)
    assert answer.status_code == httpx.codes.OK
    assert answer.json()["keys"] == {"household_id": [900, 901]}


def commands() -> Iterator[list[str]]:
    """The words of each line of the block of commands that starts with ``features``."""
    for line in block("console", "features list").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[0] == "features":
            yield words[1:]


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_commands_work(
    words: list[str],
    settings: SmallStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spine.csv").write_text(f"household_id,time\n900,{NOW:%FT%H:%MZ}\n")
    assert run(words) == 0, capsys.readouterr().err
    printed = capsys.readouterr()
    assert (printed.err, bool(printed.out)) == ("", True)


def test_what_make_is_asked_for_exists() -> None:
    makefile = (project_root() / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE) or target == "help", target


def test_pictures_and_linked_pages_exist() -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", README)
    assert linked
    assert [link for link in linked if not (project_root() / Path(shlex.quote(link))).exists()] == []
