"""``make mutants``: plant each mistake of the catalogue in a copy of the product; the specification must notice all.

The last line printed is one JSON object: ``{"planted": ..., "caught": ...}``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from resources.settings import project_root
from tests.mutants.catalogue import MUTANTS, Mutant

COPIED = ("feature_store", "serving", "resources", "tests")


def main() -> int:
    """Return 1 if a mistake is not noticed, or if the specification does not hold without one."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder)
        for package in COPIED:
            shutil.copytree(project_root() / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
        if not _holds_unchanged(copy):
            return 1
        caught = [_is_caught(copy, mutant) for mutant in MUTANTS]
    print(json.dumps({"planted": len(caught), "caught": sum(caught)}))
    return 0 if all(caught) else 1


def _holds_unchanged(copy: Path) -> bool:
    """Check what the mutants are checked on; a failure there would be taken for a caught mistake."""
    for path, view in dict.fromkeys((mutant.path, mutant.view) for mutant in MUTANTS):
        if not _holds(copy, path, view):
            print(f"The specification does not hold without any mistake: {path} of {view}")
            return False
        print(f"holds   {path} of {view}", flush=True)
    return True


def _is_caught(copy: Path, mutant: Mutant) -> bool:
    file = copy / mutant.file
    text = file.read_text()
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.file}: the text {mutant.old!r} of mutant {mutant.name!r} must stand there once")
    file.write_text(text.replace(mutant.old, mutant.new))
    caught = not _holds(copy, mutant.path, mutant.view)
    file.write_text(text)
    print(f"{'caught ' if caught else 'MISSED '} {mutant.name} ({mutant.path} of {mutant.view})", flush=True)
    return caught


def _holds(copy: Path, path: str, view: str) -> bool:
    """Return whether a path of the copy holds.

    Raises:
        SystemExit: it could not be checked.
    """
    command = [sys.executable, "-B", "-m", "tests.mutants.probe", path, view]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{path} of {view} cannot be checked:\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])["holds"]


if __name__ == "__main__":
    sys.exit(main())
