"""What docs/backfill.md shows is accepted, and refused, as it is written there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from feature_assets.generator.partitions import PARTITIONS_PER_RUN
from feature_store.temporal.durations import DAY, HOUR, WEEK
from resources.settings import project_root

PAGE = (project_root() / "docs" / "backfill.md").read_text()
COMMANDS = [shlex.split(line) for line in re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)]


@pytest.mark.parametrize("command", [each for each in COMMANDS if each[0] == "features"], ids=lambda each: each[1])
def test_its_commands_pass_every_check_of_what_was_asked_for(command: list[str], tmp_path: Path) -> None:
    """With the range beginning in the future of the data they are refused for that, and for nothing before it.

    In a process of their own: code locations that are imported under another clock keep its partitions.
    """
    done = started(["feature_assets.cli", *command[1:]], tmp_path, "2017-06-15T00:00:00Z")
    assert done.returncode == 2
    assert "its last partition that is over ends at 2017-06-15T00:00:00+00:00" in done.stderr


def test_dagster_refuses_the_range_in_the_words_of_the_page(tmp_path: Path) -> None:
    command = next(each for each in COMMANDS if each[0] == "dagster")
    message = re.search(r"^CheckError: (.*)$", PAGE, re.MULTILINE)
    assert message is not None
    done = started(command, tmp_path)
    assert done.returncode != 0
    assert message[1] in done.stderr


def test_the_runs_are_as_long_as_it_says() -> None:
    assert PARTITIONS_PER_RUN == {DAY: 62, HOUR: 72, WEEK: 53}
    assert "runs of up to 62 days (72 hours, 53 weeks)" in PAGE


def started(command: list[str], state: Path, now: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FEATURES_STATE": str(state), "DAGSTER_HOME": str(state), "COLUMNS": "1000"}
    environment |= {"FEATURES_CLOCK": "original", "FEATURES_NOW": now}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project_root(),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
