"""Whatever is damaged: it is noticed, or changes no answer; nothing wrong is ever served."""

import json
import subprocess
import sys

import pytest

from resources.settings import project_root


@pytest.mark.timeout(600)
def test_two_hundred_damages_are_noticed_or_harmless_and_none_is_served() -> None:
    command = [sys.executable, "-m", "tests.damage", "--runs", "200", "--seed", "7"]
    done = subprocess.run(command, cwd=project_root(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["damages"], told["served_wrong"]) == (200, 0)
    assert told["noticed"] > 100
