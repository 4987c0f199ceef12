"""What docs/request_inputs.md shows can be declared, asked and trained as it is written there."""

import re
import shlex
from datetime import UTC, datetime
from typing import Any

import polars as pl

from feature_assets.cli.app import run
from feature_assets.teams.growth.services import offer_value
from feature_store import FeatureService
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.training.training_sets import build_training_set
from resources.settings import project_root
from serving.client import FeatureClient
from tests.fixtures.small_store import SmallStore, small_store
from tests.fixtures.valkey import valkey, valkey_server

__all__ = ["small_store", "valkey", "valkey_server"]

T = datetime(2018, 1, 2, 6, tzinfo=UTC)
"""The clock of the original dates stands here."""

PAGE = (project_root() / "docs" / "request_inputs.md").read_text()
DECLARED, ASKED, TRAINED = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line.removeprefix("$ features ") for line in PAGE.splitlines() if line.startswith("$ features ")]


def test_the_service_is_declared() -> None:
    names: dict[str, Any] = {}
    exec(DECLARED, names)
    offer = names["offer"]
    assert isinstance(offer, FeatureService)
    assert [output.name for output in compile_plan(offer).outputs] == [
        "household_spend__spend_30d",
        "share",
        "large",
        "near",
    ]


def test_it_is_asked_and_trained_and_both_say_the_same(small_store: SmallStore) -> None:
    names: dict[str, Any] = {
        "pl": pl,
        "build_training_set": build_training_set,
        "offer_value": offer_value,
        "store": small_store.offline,
    }
    plans = f"{small_store.environment['FEATURES_STATE']}/plans"
    with FeatureClient(plans, small_store.environment["FEATURES_ONLINE_URL"]) as client:
        exec(ASKED.replace("})\n", "}, time=at)\n"), names | {"client": client, "at": T}, names)
    exec(TRAINED.replace("spine)", "spine, allow_missing=True)"), names | {"at": T}, names)
    trained = names["training"].frame
    for name, column in names["answer"].to_dict().items():
        if name != "household_id":
            assert trained[name].to_list() == column, name
    assert trained["accepted"].to_list() == [True, False]


def test_its_commands_work(small_store: SmallStore, monkeypatch: Any, capsys: Any) -> None:
    for name, value in small_store.environment.items():
        monkeypatch.setenv(name, value)
    for command in COMMANDS:
        assert run(shlex.split(command)) == 0, command
    shown = capsys.readouterr().out
    assert "offer_share" in shown
    assert re.search(r"12\.5 / spend_30d \d", shown)
