"""What docs/parity.md shows can be called as it is written there."""

import re

import pytest

from feature_assets.cli.app import run
from resources.settings import project_root

PAGE = (project_root() / "docs" / "parity.md").read_text()


def test_its_imports_exist() -> None:
    lines = re.findall(r"^from .* import .*$", PAGE, re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        exec(line, {})


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`features ([a-z]+) ", PAGE))))
def test_its_commands_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    shown = capsys.readouterr().out
    options = {
        option for line in re.findall(rf"`features {command} [^`]*`", PAGE) for option in re.findall(r"--\w+", line)
    }
    assert all(option in shown for option in options)
