"""The model, tiles and codec import with the standard library and numpy alone."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import importlib, pkgutil, sys

class OnlyNumpy:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("numpy", "feature_store"):
            raise ImportError(f"{name} is not for the core")
        return None

sys.meta_path.insert(0, OnlyNumpy())
for blocked in ("polars", "dagster"):
    try:
        importlib.import_module(blocked)
    except ImportError as error:
        assert "not for the core" in str(error)
    else:
        raise SystemExit(f"{blocked} was not blocked")

import feature_store
import feature_store.expressions

edges = ("engines", "offline", "catalog")
for package in (feature_store, feature_store.expressions):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if module.name.removeprefix("feature_store.") not in edges:
            importlib.import_module(module.name)
            print(module.name)
"""


def test_the_core_needs_numpy_alone() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    expected = {
        "views",
        "services",
        "plans",
        "tiles",
        "rows",
        "entity_keys",
        "expressions.text",
        "expressions.operations",
    }
    assert {f"feature_store.{name}" for name in expected} <= imported
