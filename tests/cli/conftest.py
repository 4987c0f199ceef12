"""What the tests of the command line share."""

import json
from pathlib import Path
from typing import Any

import pytest

from feature_assets.cli.app import run
from tests.fixtures.small_store import SmallStore, small_store
from tests.fixtures.valkey import valkey, valkey_server

__all__ = ["small_store", "valkey", "valkey_server"]


class Features:
    """Runs commands in this process and reads what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def text(self, *arguments: object) -> str:
        code, out, err = self(*arguments)
        assert (code, err) == (0, "")
        return out

    def json(self, *arguments: object) -> Any:
        return json.loads(self.text(*arguments, "--json"))

    def refused(self, *arguments: object) -> str:
        """The one line on stderr of a command that cannot be done."""
        code, out, err = self(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("features: ")
        assert err.count("\n") == 1
        return err.removeprefix("features: ").rstrip("\n")


@pytest.fixture
def features(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Features:
    """The command line on an empty project."""
    monkeypatch.setenv("FEATURES_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("COLUMNS", raising=False)
    return Features(capsys)


@pytest.fixture
def filled(capsys: pytest.CaptureFixture[str], small_store: SmallStore, monkeypatch: pytest.MonkeyPatch) -> Features:
    """The command line on the small store."""
    for name, value in small_store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("COLUMNS", raising=False)
    return Features(capsys)
