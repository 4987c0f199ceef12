"""A host that has only what ``requirements-serving.txt`` lists serves over HTTP and builds training sets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from resources.settings import project_root
from tests.tooling.test_bare_imports import OURS, modules_of

SCRIPT = Path(__file__).with_name("bare_host.py")
PACKAGES = ("feature_store", "serving")

BLOCKER = """
import sys
absent = {absent!r}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {{name!r}}: blocked by the test", name=name)
        return None
sys.meta_path.insert(0, Absent())
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder of the two packages alone."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in PACKAGES:
        (folder / name).symlink_to(project_root() / name)
    return folder


def test_with_everything_else_made_invisible(tmp_path: Path, packages: Path) -> None:
    block_all_but(modules_of("requirements-serving.txt") | set(PACKAGES), packages)
    assert_host_works(Path(sys.executable), packages, tmp_path / "host")


def test_what_is_invisible_cannot_be_imported_by_any_process(packages: Path) -> None:
    block_all_but(modules_of("requirements-serving.txt") | set(PACKAGES), packages)
    code = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', 'import dagster']))"
    done = run([sys.executable, "-c", code], packages)
    assert done.returncode == 1
    assert "No module named 'dagster': blocked by the test" in done.stderr


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_in_an_environment_of_its_own(tmp_path: Path, packages: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    requirements = project_root() / "requirements-serving.txt"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
    for absent in ("dagster", "pyspark", "sqlalchemy", "pandas", "sklearn", "resources", "feature_assets"):
        assert run([str(python), "-c", f"import {absent}"], packages).returncode == 1, absent
    assert_host_works(python, packages, tmp_path / "host")


def block_all_but(allowed: set[str], packages: Path) -> None:
    """Make every process that finds the folder first on its path blind for what is installed besides."""
    absent = (set(packages_distributions()) | OURS) - allowed
    (packages / "sitecustomize.py").write_text(BLOCKER.format(absent=absent))


def assert_host_works(python: Path, packages: Path, folder: Path) -> None:
    folder.mkdir()
    done = run([str(python), str(SCRIPT), str(folder)], packages)
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    assert result["served"] == result["trained"]
    # Ten days of one basket a day; the fourth shopper never came.
    assert result["served"]["shopper_spend__spend_3d"] == [3.75, 6.75, 9.75, 0.0]
    assert result["served"]["shopper_spend__baskets_7d"] == [7, 7, 7, 0]
    assert result["served"]["shopper_spend__days_since_last"][3] is None
    assert result["stored_rows"] == 4
    assert result["loaded"] == []


def run(command: list[str], packages: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(packages)}
    return subprocess.run(command, cwd=packages, env=environment, capture_output=True, text=True, check=False)
