"""``make mutants``: plant each mistake of the catalogue in a copy of the product; the tests must notice all.

``python -m tests.mutants TEXT ...`` plants those alone whose name, file or test contains one of the texts. The last
line printed is one JSON object: ``{"planted": ..., "caught": ...}``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from resources.settings import project_root
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant

COPIED = ("feature_store", "serving", "resources", "sensors", "feature_assets", "tests")

_FAILED = 1
"""Exit code of pytest: a test failed."""


def main() -> int:
    """Return 1 if a mistake is not noticed, or if what must notice it does not hold without one."""
    parser = argparse.ArgumentParser(prog="tests.mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="of the name, the file or the test of a mistake; none: all"
    )
    texts = parser.parse_args().texts
    chosen = [each for each in MUTANTS if not texts or any(text in each.told for text in texts)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder)
        for package in COPIED:
            shutil.copytree(project_root() / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(project_root() / "pyproject.toml", copy)
        if not _holds_unchanged(copy, chosen):
            return 1
        caught = [_is_caught(copy, mutant) for mutant in chosen]
    print(json.dumps({"planted": len(caught), "caught": sum(caught)}))
    return 0 if all(caught) else 1


def _holds_unchanged(copy: Path, mutants: Sequence[Mutant]) -> bool:
    """Check what the mutants are checked on; a failure there would be taken for a caught mistake."""
    tests = list(dict.fromkeys(mutant.test for mutant in mutants if mutant.test))
    if tests and not _passes(copy, tests):
        print(f"They do not hold without any mistake: {', '.join(tests)}")
        return False
    for mutant in {mutant.noticed_by: mutant for mutant in mutants if not mutant.test}.values():
        if not _holds(copy, mutant):
            print(f"It does not hold without any mistake: {mutant.noticed_by}")
            return False
        print(f"holds   {mutant.noticed_by}", flush=True)
    return True


def _is_caught(copy: Path, mutant: Mutant) -> bool:
    file = copy / mutant.file
    text = file.read_text()
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.file}: the text {mutant.old!r} of mutant {mutant.name!r} must stand there once")
    file.write_text(text.replace(mutant.old, mutant.new))
    caught = not _holds(copy, mutant)
    file.write_text(text)
    print(f"{'caught ' if caught else 'MISSED '} {mutant.name} ({mutant.noticed_by})", flush=True)
    return caught


def _holds(copy: Path, mutant: Mutant) -> bool:
    """Return whether what must notice a mistake holds in the copy.

    Raises:
        SystemExit: it could not be checked.
    """
    if mutant.test:
        return _passes(copy, [mutant.test])
    done = _run(copy, "tests.mutants.probe", mutant.path, mutant.view)
    if done.returncode:
        raise SystemExit(f"{mutant.noticed_by} cannot be checked:\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])["holds"]


def _passes(copy: Path, tests: Sequence[str]) -> bool:
    done = _run(copy, "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests)
    if done.returncode not in (0, _FAILED):
        raise SystemExit(f"{', '.join(tests)} cannot be run:\n{done.stdout}\n{done.stderr}")
    return done.returncode == 0


def _run(copy: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-m", module, *arguments]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
