"""What imports where little is installed: everything else is made invisible to the process."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions

from resources.settings import project_root

FOLDERS = ("temporal", "expressions", "model", "declare", "plans", "codec", "engines/numpy", "oracle")
"""Folders of ``feature_store`` that an old environment with numpy alone, such as that of a stream job, imports."""

OURS = {"feature_store", "serving", "resources", "feature_assets", "sensors"}

BLOCKED = """
import importlib, sys
absent = {absent!r}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return None
sys.meta_path.insert(0, Absent())
for module in {modules!r}:
    importlib.import_module(module)
"""


def import_with_only(allowed: set[str], modules: list[str]) -> subprocess.CompletedProcess[str]:
    absent = (set(packages_distributions()) | OURS) - allowed
    code = BLOCKED.format(absent=absent, modules=modules)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=project_root(), capture_output=True, text=True, check=False)


def distributions_of(requirements: str) -> set[str]:
    lines = (project_root() / requirements).read_text().splitlines()
    return {normal(line.partition("==")[0]) for line in lines if not line.startswith("#")}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def modules_of(requirements: str) -> set[str]:
    wanted = distributions_of(requirements)
    return {
        module for module, names in packages_distributions().items() if any(normal(name) in wanted for name in names)
    }


def test_the_model_the_tiles_and_the_codec_import_with_numpy_alone() -> None:
    root = project_root() / "feature_store"
    files = [*root.glob("*.py"), *(file for folder in FOLDERS for file in (root / folder).rglob("*.py"))]
    modules = [".".join(file.relative_to(root.parent).with_suffix("").parts) for file in files]
    done = import_with_only({"feature_store", "numpy"}, modules)
    assert done.returncode == 0, done.stderr


def test_a_serving_host_imports_what_serves_and_joins() -> None:
    modules = [
        "serving.client",
        "serving.server.__main__",
        "serving.stores.redis.write.loader",
        "feature_store.offline.tables.store",
    ]
    modules += ["feature_store.offline.join.point_in_time"]
    done = import_with_only({"feature_store", "serving"} | modules_of("requirements-serving.txt"), modules)
    assert done.returncode == 0, done.stderr


def test_what_is_not_allowed_is_really_invisible() -> None:
    done = import_with_only({"feature_store", "numpy"}, ["polars"])
    assert done.returncode == 1
    assert "No module named 'polars'" in done.stderr


def test_the_generator_loads_without_what_only_runs_need() -> None:
    """A code location of ten thousand features is to be there in seconds."""
    allowed = set(packages_distributions()) | OURS
    done = import_with_only(allowed - {"pandas", "pandera"}, ["feature_assets.generator"])
    assert done.returncode == 0, done.stderr
