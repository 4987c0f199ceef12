"""What `make engines` does on machines that lack something."""

import shutil
import subprocess
from pathlib import Path

from resources.settings import project_root


def test_who_may_not_install_is_told_in_one_line_what_is_missing(tmp_path: Path) -> None:
    # Neither the programs nor apt-get are in this PATH.
    for name in ("bash", "id"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    script = project_root() / "tests" / "engines_env" / "debian"
    done = subprocess.run(
        [tmp_path / "bash", script], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "sudo apt-get install --no-install-recommends" in line
    assert {"maven", "redis-server", "chromium", "prometheus"} <= set(line.split())


def test_without_go_it_is_named(tmp_path: Path) -> None:
    make = shutil.which("make")
    assert make is not None
    command = [make, "--file=tests/engines_env/Makefile", "go"]
    done = subprocess.run(
        command, cwd=project_root(), env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "need Go 1.21 or newer" in done.stderr
