"""The commands of docs/catalog.md do what it says, but for `diff`, which the walk runs."""

import re
import shlex
from pathlib import Path

import pytest

from feature_assets.cli.app import run
from resources.settings import project_root

PAGE = (project_root() / "docs" / "catalog.md").read_text()
COMMANDS = [shlex.split(line, comments=True) for line in re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)]


def test_its_commands_answer_once_something_was_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEATURES_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FEATURES_NOW", "2026-10-01T00:00:00Z")
    assert run(["apply"]) == 0
    answered = [words for words in COMMANDS if words[1] != "diff"]
    assert len(answered) >= 9
    for program, *words in answered:
        assert program == "features"
        capsys.readouterr()
        assert run(words) == 0, words
        printed = capsys.readouterr()
        assert (printed.err, bool(printed.out)) == ("", True), words
        assert "No match" not in printed.out
