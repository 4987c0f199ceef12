"""The layer contracts of pyproject.toml are kept, and each of them can be broken."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from resources.settings import project_root

PACKAGES = ("feature_store", "serving", "resources", "feature_assets", "sensors")
UPWARDS = "Nothing imports upwards"
APART = "The library knows nothing of the example project"
CLIENTS = "feature_store knows no orchestrator, store client or web framework"
FRAMES = "Polars, Delta Lake, Arrow and DataSketches only in engines and offline"
CATALOG = "SQLAlchemy and Alembic only in the catalog"
MODEL = "Within feature_store, the model knows no engine and no storage"
ORACLE = "The oracle is plain Python: no arrays, no engine, none of their code"
DAGSTER = "serving never imports Dagster"
PLANNED = "What is computed is planned and committed without knowing which engine computes"
READER = "The production server reads only"
ROOMS = "Within serving, stores know nobody who reads or writes"
STORES = "Within serving.stores, the contract knows no store"

PLANTED = [
    ("feature_store/errors.py", "import serving", UPWARDS),
    ("resources/settings.py", "import feature_assets", UPWARDS),
    ("feature_assets/generator/__init__.py", "import feature_assets.teams", APART),
    ("feature_assets/cli/app.py", "import feature_assets.demo", APART),
    ("sensors/__init__.py", "import feature_assets.raw", APART),
    ("feature_store/errors.py", "import dagster", CLIENTS),
    ("feature_store/offline/tables/store.py", "import redis", CLIENTS),
    ("feature_store/errors.py", "import polars", FRAMES),
    ("feature_store/errors.py", "import feature_store.offline.tables.store", MODEL),
    ("feature_store/sketches/theta.py", "import datasketches", FRAMES),
    ("feature_store/offline/tables/store.py", "import sqlalchemy", CATALOG),
    ("serving/client.py", "import alembic", CATALOG),
    ("feature_store/oracle/windows.py", "import numpy", ORACLE),
    ("feature_store/offline/materialize/plans.py", "import feature_store.engines.polars.tiles", PLANNED),
    ("serving/__init__.py", "import dagster", DAGSTER),
    ("serving/server/__init__.py", "import serving.stores.redis.write.loader", READER),
    ("serving/server/__init__.py", "import polars", READER),
    ("serving/stores/errors.py", "import serving.read.values", ROOMS),
    ("serving/stores/store.py", "import serving.stores.redis.keys", STORES),
]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in PACKAGES:
        shutil.copytree(project_root() / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(project_root() / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"]
    # The copy has to be found before the packages that are installed in editable form.
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_library_is_all_of_feature_assets_but_the_example() -> None:
    contracts = tomllib.loads((project_root() / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (apart,) = [contract for contract in contracts if contract["name"] == APART]
    rooms = {
        each.stem
        for each in (project_root() / "feature_assets").iterdir()
        if each.suffix == ".py" or (each / "__init__.py").exists()
    }
    listed = {name.removeprefix("feature_assets.") for name in apart["source_modules"]}
    assert rooms - {"__init__", "teams", "raw", "demo"} <= listed


def test_every_contract_is_tried_here() -> None:
    contracts = tomllib.loads((project_root() / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {contract["name"] for contract in contracts} == {contract for _, _, contract in PLANTED}


@pytest.mark.parametrize(("file", "statement", "contract"), PLANTED)
def test_a_planted_import_breaks_its_contract(clone: Path, file: str, statement: str, contract: str) -> None:
    with (clone / file).open("a") as source:
        source.write(f"\n{statement}\n")
    done = lint_imports(clone)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contract} BROKEN" in done.stdout


def test_nobody_reads_in_batches_that_hide_a_damaged_file() -> None:
    """``LazyFrame.collect_batches`` swallows the panic of a reader, and then yields no rows (W1)."""
    packages = ("feature_store", "serving", "resources", "feature_assets", "sensors", "benchmarks")
    files = [file for package in packages for file in (project_root() / package).rglob("*.py")]
    assert len(files) > 200
    assert [str(file) for file in files if "collect_batches" in file.read_text()] == []
