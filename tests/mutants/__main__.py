"""``make mutants``: plant each mistake of the catalogue in a copy of the product; the specification must notice all.

The last line printed is one JSON object: ``{"planted": ..., "caught": ...}``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from resources.settings import project_root
from tests.mutants.catalogue import MUTANTS, Mutant

EXAMPLES = 60
"""Worlds on which a mistake must show."""

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
        failures, output = _check(copy, path, view)
        if failures != 0:
            print(f"The specification does not hold without any mistake: {path} of {view}\n{output}")
            return False
        print(f"holds   {path} of {view}", flush=True)
    return True


def _is_caught(copy: Path, mutant: Mutant) -> bool:
    file = copy / mutant.file
    text = file.read_text()
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.file}: the text {mutant.old!r} of mutant {mutant.name!r} must stand there once")
    file.write_text(text.replace(mutant.old, mutant.new))
    failures, output = _check(copy, mutant.path, mutant.view)
    file.write_text(text)
    if failures is None:
        raise SystemExit(f"Mutant {mutant.name!r} broke the run itself:\n{output}")
    print(f"{'caught ' if failures else 'MISSED '} {mutant.name} ({mutant.path} of {mutant.view})", flush=True)
    return failures > 0


def _check(copy: Path, path: str, view: str) -> tuple[int | None, str]:
    """Return how many worlds fail, None if the run did not get so far; and what it printed."""
    command = [sys.executable, "-B", "-m", "tests.spec.run", path, "--view", view, "--examples", str(EXAMPLES)]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    return _failures(done.stdout.splitlines()), f"{done.stdout}\n{done.stderr}"


def _failures(lines: Iterable[str]) -> int | None:
    for line in lines:
        if line.startswith("{"):
            return json.loads(line)["failures"]
    return None


if __name__ == "__main__":
    sys.exit(main())
